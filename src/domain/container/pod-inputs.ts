import { type Sandbox, sandboxName } from "#domain/sandbox/sandbox.ts";
import type { OciMount } from "#spec/oci-runtime.ts";
import type { SandboxFacts } from "./oci-spec/spec-inputs.ts";
import type { ContainerRequest } from "./request.ts";

// What config.json of each container of a pod, and of its pause process, gets from the pod.

export function sandboxFacts(sandbox: Sandbox): SandboxFacts {
  const { net, ...others } = sandbox.namespaces;
  return {
    id: sandbox.id,
    name: sandboxName(sandbox.request),
    request: sandbox.request,
    runtimeHandler: sandbox.runtimeHandler,
    hostname: sandbox.hostname,
    namespaces: {
      ...others,
      ...(net === undefined ? {} : { network: net }),
      ...(sandbox.infra === undefined ? {} : { pid: `/proc/${sandbox.infra.process.pid}/ns/pid` }),
    },
    selinuxLevel: sandbox.selinuxLevel,
    ips: sandbox.ips,
    shmPath: sandbox.files.shm ?? "",
    resolvPath: sandbox.files.resolvConf,
    hostnamePath: sandbox.files.hostname,
  };
}

/** The pod's files; what the request mounts in the same place wins when config.json is built. */
export function providedMounts(sandbox: Sandbox, request?: Pick<ContainerRequest, "linux">): OciMount[] {
  const { resolvConf, hostname, hosts, shm } = sandbox.files;
  const readonly = request?.linux.securityContext.readonlyRootfs === true ? "ro" : "rw";
  const bind = (destination: string, source: string, ...options: string[]): OciMount => ({
    destination,
    type: "bind",
    source,
    options: ["bind", "rprivate", "nodev", "nosuid", "noexec", ...options],
  });
  return [
    bind("/etc/resolv.conf", resolvConf, readonly),
    bind("/etc/hostname", hostname, readonly),
    ...(hosts === undefined ? [] : [bind("/etc/hosts", hosts, readonly)]),
    bind("/dev/shm", shm ?? "/dev/shm", "rw"),
  ];
}
