import type { Streams, StdioEnds, WantedStdio } from "#drivers/streams/index.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { Container } from "./container.ts";
import { processForExec } from "./exec-sync.ts";
import { whileRunning } from "./while-running.ts";

/** A command that runs in a container with its standard streams in somebody's hands. */
export interface ExecSession {
  /** Our ends; whoever takes them closes them. */
  readonly stdio: StdioEnds;
  /** Resolves with the exit code once the command has ended and nothing of the session is left but the ends. Never rejects. */
  readonly ended: Promise<number>;
  /** Kills the command and its descendants, unless it has ended. */
  kill(): void;
}

/**
 * Starts a command in a running container. It ends with the container at the latest, also where the container's
 * processes do not die with its first one, as in a shared PID namespace.
 * @throws DomainError invalid-argument for an empty command, failed-precondition unless the container runs, internal when the
 *   runtime cannot start it
 */
export async function startExec(
  drivers: ContainerDrivers & { streams: Streams },
  container: Container,
  command: readonly string[],
  wanted: WantedStdio,
): Promise<ExecSession> {
  const process = await processForExec(drivers, container, command, wanted.tty);
  await using undo = new AsyncDisposableStack();
  const stdio = undo.use(await drivers.streams.processStdio(wanted));
  const runtime = drivers.runtimes.get(container.runtimeHandler);
  const exec = await whileRunning(drivers, container, runtime.startExec(container.id, process, stdio));
  undo.defer(() => exec.kill());
  if (container.process !== undefined) {
    const watch = drivers.processes.watch(container.process);
    undo.defer(() => watch.close());
    void watch.exited.then(() => exec.kill());
  }
  const ends = stdio.started();
  const owned = undo.move();
  const ended = exec.exited.then(async (exitCode) => {
    await owned.disposeAsync().catch((error: unknown) => {
      drivers.logger.warn("cannot tidy up after a command", { container: container.id, error });
    });
    return exitCode;
  });
  return { stdio: ends, ended, kill: () => exec.kill() };
}
