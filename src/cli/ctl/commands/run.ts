import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import path from "node:path";
import { NamespaceMode, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { UsageError, type ParsedArguments } from "../arguments.ts";
import { untilExit } from "../container-status.ts";
import { followRecords } from "../log-file.ts";
import type { Invocation, Subcommand } from "../subcommand.ts";
import { printer } from "./logs.ts";
import { pullIfMissing } from "./pull.ts";

const logRoot = "/var/log/pods";
const namespace = "berth-ctl";
const interruptedStatus = 130;

export const run: Subcommand = {
  name: "run",
  summary: "Makes a pod with one container and prints what it writes until it ends; pulls the image if it is missing.",
  operands: "IMAGE [COMMAND...]",
  minOperands: 1,
  maxOperands: Infinity,
  operandsBeforeCommand: 1,
  options: {
    detach: { kind: "flag", short: "d", help: "print the container's id and leave it running" },
    rm: { kind: "flag", help: "remove the pod when the container has ended" },
    name: { kind: "text", short: "n", help: "name of the pod (default: made up)" },
    env: { kind: "list", short: "e", placeholder: "KEY=VALUE", help: "set a variable; may be repeated" },
    volume: { kind: "list", short: "v", placeholder: "HOST:CONTAINER[:ro]", help: "mount a path; may be repeated" },
    workdir: { kind: "text", short: "w", placeholder: "PATH", help: "working directory" },
    user: { kind: "text", short: "u", placeholder: "UID", help: "user id or name" },
    "host-network": { kind: "flag", help: "use the network of the host" },
    handler: { kind: "text", placeholder: "NAME", help: "runtime handler" },
  },
  async run(invocation) {
    const { client, arguments: given, operands, stdout, stderr, signal } = invocation;
    const [image = ""] = operands;
    const plan = planOf(given, operands);
    await pullIfMissing(client, image, stderr, signal);
    const { podSandboxId } = await client.call(
      RuntimeService.method.runPodSandbox,
      { config: plan.pod, runtimeHandler: given.text("handler") ?? "" },
      { signal },
    );
    let keep = false;
    try {
      const request = { podSandboxId, config: plan.container, sandboxConfig: plan.pod };
      const { containerId } = await client.call(RuntimeService.method.createContainer, request, { signal });
      await client.call(RuntimeService.method.startContainer, { containerId }, { signal });
      keep = !given.flag("rm");
      if (!given.flag("detach")) return await attend(invocation, containerId, plan.logFile);
      keep = true;
      stdout.write(`${containerId}\n`);
      return 0;
    } finally {
      if (!keep) await removePod(invocation, podSandboxId, plan.pod.logDirectory);
      else if (!given.flag("detach")) await client.call(RuntimeService.method.stopPodSandbox, { podSandboxId });
    }
  },
};

/** Prints the log until the container ends. */
async function attend(invocation: Invocation, containerId: string, logFile: string): Promise<number> {
  const exit = untilExit(invocation.client, containerId, invocation.signal);
  const print = printer(invocation);
  for await (const record of followRecords(logFile, exit)) print(record);
  return (await exit)?.exitCode ?? interruptedStatus;
}

async function removePod({ client }: Invocation, podSandboxId: string, logDirectory: string): Promise<void> {
  await client.call(RuntimeService.method.stopPodSandbox, { podSandboxId });
  await client.call(RuntimeService.method.removePodSandbox, { podSandboxId });
  await rm(logDirectory, { recursive: true, force: true });
}

/** The two configurations that the command line asks for. */
function planOf(given: ParsedArguments, [image = "", ...command]: readonly string[]) {
  const uid = randomUUID();
  const name = given.text("name") ?? `run-${uid.slice(0, 8)}`;
  const logDirectory = path.join(logRoot, `${namespace}_${name}_${uid}`);
  const logPath = "main/0.log";
  const network = given.flag("host-network") ? NamespaceMode.NODE : NamespaceMode.POD;
  const namespaceOptions = { network, pid: NamespaceMode.CONTAINER, ipc: NamespaceMode.POD };
  return {
    logFile: path.join(logDirectory, logPath),
    pod: {
      metadata: { name, namespace, uid, attempt: 0 },
      hostname: given.flag("host-network") ? "" : name.slice(0, 63),
      logDirectory,
      linux: { securityContext: { namespaceOptions } },
    },
    container: {
      metadata: { name: "main", attempt: 0 },
      image: { image, userSpecifiedImage: image },
      // As in a Kubernetes manifest's args: the image's entrypoint stays.
      args: command,
      workingDir: given.text("workdir") ?? "",
      envs: given.list("env").map(variableOf),
      mounts: given.list("volume").map(mountOf),
      logPath,
      linux: { securityContext: { namespaceOptions, ...userOf(given.text("user")) } },
    },
  };
}

function variableOf(written: string): { key: string; value: Uint8Array<ArrayBuffer> } {
  const equals = written.indexOf("=");
  if (equals < 1) throw new UsageError(`--env ${written} is not KEY=VALUE`);
  return { key: written.slice(0, equals), value: new TextEncoder().encode(written.slice(equals + 1)) };
}

function mountOf(written: string): { hostPath: string; containerPath: string; readonly: boolean } {
  const [hostPath = "", containerPath = "", mode = "rw", ...more] = written.split(":");
  const wrong = more.length > 0 || (mode !== "rw" && mode !== "ro");
  if (wrong || !path.isAbsolute(containerPath)) throw new UsageError(`--volume ${written} is not HOST:CONTAINER[:ro]`);
  return { hostPath: path.resolve(hostPath), containerPath, readonly: mode === "ro" };
}

function userOf(written: string | undefined): { runAsUser?: { value: bigint }; runAsUsername?: string } {
  if (written === undefined) return {};
  return /^\d+$/.test(written) ? { runAsUser: { value: BigInt(written) } } : { runAsUsername: written };
}
