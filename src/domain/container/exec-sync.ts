import { DomainError } from "#errors/domain-error.ts";
import type { ExecResult } from "#domain/runtime.ts";
import type { OciProcess } from "#spec/oci-runtime.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import { type Container, isPaused } from "./container.ts";
import { processFile } from "./create-container.ts";
import { execProcess } from "./oci-spec/exec-process.ts";
import { whileRunning } from "./while-running.ts";

/** How soon after the request the runtime moves the new process into the container's cgroups, at the latest. */
const movesWithinMs = 50;

/** CRI: an ExecSync reply keeps at most 16 MiB of each stream. */
const maxOutputBytes = 16 * 1024 * 1024;

/**
 * Runs a command in a running container to its end.
 * @throws DomainError invalid-argument for an empty command, failed-precondition unless the container runs, deadline-exceeded when the time
 *   is over
 */
export async function execSync(
  drivers: ContainerDrivers,
  container: Container,
  command: readonly string[],
  timeoutSeconds: number,
): Promise<ExecResult> {
  drivers.cgroups.expectMoves(movesWithinMs);
  const process = await processForExec(drivers, container, command, false);
  const runtime = drivers.runtimes.get(container.runtimeHandler);
  const timeout = timeoutSeconds > 0 ? { timeoutMs: timeoutSeconds * 1000 } : {};
  const executing = runtime.exec(container.id, process, { ...timeout, maxOutputBytes });
  const { timedOut, ...result } = await whileRunning(drivers, container, executing);
  if (timedOut) {
    throw new DomainError(
      "deadline-exceeded",
      `command ${JSON.stringify(command[0])} in container ${container.id} timed out after ${timeoutSeconds} s and was killed`,
    );
  }
  return result;
}

/** A command would wait with the frozen processes, or fail in the runtime's own words. @throws DomainError failed-precondition */
export function refusePaused(container: Container): void {
  if (!isPaused(container)) return;
  throw new DomainError(
    "failed-precondition",
    `container ${container.id} is paused, commands can be run in it once it goes on`,
  );
}

/** The process document for one more process in a running container. */
export async function processForExec(
  drivers: ContainerDrivers,
  container: Container,
  command: readonly string[],
  tty: boolean,
): Promise<OciProcess> {
  if (command.length === 0)
    throw new DomainError("invalid-argument", `no command is given for container ${container.id}`);
  if (container.state.kind !== "running") {
    throw new DomainError(
      "failed-precondition",
      `container ${container.id} is ${container.state.kind}, commands can be run only in a running one`,
    );
  }
  refusePaused(container);
  return execProcess(await processOf(drivers, container), { args: command, tty });
}

/** Of containers that commands were run in: most are run by probes, in the same ones again and again. */
const processes = new WeakMap<Container, OciProcess>();

/** The process section of a container's config.json. */
async function processOf(drivers: ContainerDrivers, container: Container): Promise<OciProcess> {
  const known = processes.get(container);
  if (known !== undefined) return known;
  const read = JSON.parse(await drivers.bundles.readFile(container.id, processFile)) as OciProcess;
  processes.set(container, read);
  return read;
}
