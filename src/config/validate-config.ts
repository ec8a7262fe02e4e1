import { type Assignment, badValue, type ConfigWarning, type Origin } from "./assignment.ts";
import type { Config, RuntimeHandlerConfig } from "./options.ts";

/** The longest path that a unix socket can have: sun_path of unix(7) less its terminating zero. */
const longestSocketPath = 107;

/**
 * Checks what concerns more than one option, and drops runtime handlers that cannot work, as CRI-O does.
 * @throws DomainError invalid-argument
 */
export function validateConfig(
  config: Config,
  assignments: readonly Assignment[],
): { config: Config; warnings: ConfigWarning[] } {
  const fail = (path: string, problem: string): never => {
    throw badValue(path, originOf(path, assignments), problem);
  };
  checkPaths(config, fail);
  checkTls(config, fail);
  checkCgroups(config, fail);
  checkWorkloads(config, fail);
  const { runtimes, warnings } = usableHandlers(config);
  checkDefaultRuntime(config, runtimes, fail);
  return { config: { ...config, runtime: { ...config.runtime, runtimes } }, warnings };
}

type Fail = (path: string, problem: string) => never;

function checkPaths(config: Config, fail: Fail): void {
  const { root, runroot } = config.crio;
  const inside = (child: string, parent: string) => `${child}/`.startsWith(`${parent.replace(/\/+$/, "")}/`);
  if (inside(root, runroot) || inside(runroot, root)) {
    fail("crio.runroot", `must be apart from root, found ${runroot} and ${root}`);
  }
  const sockets = [
    ["crio.api.listen", config.api.listen],
    ["crio.metrics.metrics_socket", config.metrics.metricsSocket],
  ] as const;
  for (const [path, socket] of sockets) {
    const length = Buffer.byteLength(socket);
    if (length > longestSocketPath) {
      fail(path, `must have at most ${longestSocketPath} bytes, found ${length}: longer socket paths do not exist`);
    }
  }
}

function checkTls(config: Config, fail: Fail): void {
  const { streamEnableTls, streamTlsCert, streamTlsKey } = config.api;
  if (streamEnableTls && (streamTlsCert === "" || streamTlsKey === "")) {
    fail("crio.api.stream_enable_tls", "needs stream_tls_cert and stream_tls_key");
  }
  if ((config.metrics.metricsCert === "") !== (config.metrics.metricsKey === "")) {
    fail("crio.metrics.metrics_cert", "and metrics_key must both be set or both be empty");
  }
}

function checkCgroups(config: Config, fail: Fail): void {
  if (config.runtime.cgroupManager === "systemd") return;
  const groups = [
    ["crio.runtime.conmon_cgroup", config.runtime.conmonCgroup],
    ["crio.image.separate_pull_cgroup", config.image.separatePullCgroup],
    ...[...config.runtime.runtimes].map(
      ([name, handler]) => [`crio.runtime.runtimes.${name}.monitor_cgroup`, handler.monitorCgroup] as const,
    ),
  ] as const;
  for (const [path, group] of groups) {
    if (group.endsWith(".slice") && group !== "system.slice")
      fail(path, `must be "pod" or empty with cgroup_manager = "cgroupfs", found ${group}`);
  }
}

function checkWorkloads(config: Config, fail: Fail): void {
  for (const [name, workload] of config.runtime.workloads) {
    const path = `crio.runtime.workloads.${name}`;
    if (workload.activationAnnotation === "") fail(path, "must have an activation_annotation");
  }
}

function usableHandlers(config: Config): {
  runtimes: ReadonlyMap<string, RuntimeHandlerConfig>;
  warnings: ConfigWarning[];
} {
  const runtimes = new Map<string, RuntimeHandlerConfig>();
  const warnings: ConfigWarning[] = [];
  for (const [name, handler] of config.runtime.runtimes) {
    if (handler.runtimeType === "oci" || handler.runtimeType === "" || handler.inheritDefaultRuntime) {
      runtimes.set(name, handler);
      continue;
    }
    const key = `crio.runtime.runtimes.${name}`;
    const message = `runtime handler ${name} is left out: berth does not run handlers of type ${handler.runtimeType}`;
    warnings.push({ key, message });
  }
  return { runtimes, warnings };
}

function checkDefaultRuntime(config: Config, runtimes: ReadonlyMap<string, RuntimeHandlerConfig>, fail: Fail): void {
  const name = config.runtime.defaultRuntime;
  const handler = runtimes.get(name);
  if (handler === undefined) {
    fail(
      "crio.runtime.default_runtime",
      `must be a usable runtime handler, found ${JSON.stringify(name)}; there are ${[...runtimes.keys()].join(", ") || "none"}`,
    );
  }
  if (handler?.inheritDefaultRuntime) {
    fail(`crio.runtime.runtimes.${name}.inherit_default_runtime`, "cannot be true for the default runtime itself");
  }
}

/** Where the option was set last, or where its table was; the defaults when nothing did. */
function originOf(path: string, assignments: readonly Assignment[]): Origin {
  const own = assignments.findLast((assignment) => assignment.path === path);
  return own?.origin ?? { kind: "default" };
}
