import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { mkdir, open, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import type { SmallFiles } from "#kernel/small-files.ts";
import { run } from "#kernel/spawn.ts";
import type { Logger } from "#observability/logger.ts";
import { conmonArguments, type ConmonProgram, type ConmonSettings } from "./conmon-arguments.ts";
import { findMonitors, haltMonitors } from "./find-monitors.ts";
import { launchConmon } from "./launch-conmon.ts";
import { onceRemade } from "./remade-log.ts";
import type { ExitRecord, LaunchedMonitor, Monitor, MonitoredCreate } from "./index.ts";

export interface ConmonOptions extends ConmonSettings {
  /** The program that watches the containers of a runtime handler. */
  program(this: void, handler: string): ConmonProgram;
  /** Reads what monitors leave in their bundles. */
  bundleFiles: SmallFiles;
}

/** conmon: one small C program per container, which outlives the daemon. */
export async function createConmon(options: ConmonOptions, logger: Logger): Promise<Monitor> {
  await mkdir(options.exitsDirectory, { recursive: true, mode: 0o711 });
  await mkdir(options.attachDirectory, { recursive: true, mode: 0o711 });
  const helpTexts = new HelpTexts();
  const listeners = new Set<(id: string) => void>();
  const watcher = watchExits(options.exitsDirectory, listeners, logger);
  const recordOf = (id: string): string => path.join(options.exitsDirectory, id);

  const launch = async (request: MonitoredCreate): Promise<LaunchedMonitor> => {
    const program = options.program(request.runtime.handler);
    const argv = conmonArguments(program, options, await helpTexts.of(program), request);
    return launchConmon(argv, program, request, options.bundleFiles);
  };

  return {
    launch,

    async create(request) {
      await using launched = await launch(request);
      return await launched.create();
    },

    async find(id, bundle) {
      return findMonitors(id, bundle)[0];
    },

    async halt(id, bundle) {
      haltMonitors(id, bundle);
    },

    async reopenLog(id, bundle, logPath) {
      const reopen = "2 0 0\n";
      await onceRemade(id, logPath, () => writeControl(bundle, reopen));
    },

    async resizeTerminal(bundle, size) {
      await writeControl(bundle, `1 ${size.height} ${size.width}\n`);
    },

    async exitRecord(id, bundle) {
      return readExitRecord(recordOf(id), bundle);
    },

    onExit(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    async forget(id) {
      await rm(recordOf(id), { force: true });
      await rm(path.join(options.attachDirectory, id), { recursive: true, force: true });
    },

    attachSocket(id) {
      return path.join(options.attachDirectory, id, "attach");
    },

    close() {
      watcher.close();
    },
  };
}

/** conmon renames the record in from a temporary name, which begins with a dot. */
function watchExits(directory: string, listeners: ReadonlySet<(id: string) => void>, logger: Logger): FSWatcher {
  const watcher = watch(directory, (_event, name) => {
    if (name === null || name.startsWith(".")) return;
    for (const listener of listeners) listener(name);
  });
  watcher.on("error", (error) => logger.error(`watching ${directory} for ended containers failed`, { error }));
  return watcher;
}

/** What each program's `--help` says, asked once. */
class HelpTexts {
  readonly #texts = new Map<string, Promise<string>>();

  of({ path: program, env }: ConmonProgram): Promise<string> {
    const known = this.#texts.get(program);
    if (known !== undefined) return known;
    const asked = run([program, "--help"], { env, timeoutMs: 10_000 }).then(({ stdout }) => stdout.toString());
    this.#texts.set(program, asked);
    // A machine under load may answer the next time.
    asked.catch(() => this.#texts.delete(program));
    return asked;
  }
}

async function readExitRecord(file: string, bundle: string): Promise<ExitRecord | undefined> {
  try {
    const [text, { ctimeNs }] = await Promise.all([readFile(file, "utf8"), stat(file, { bigint: true })]);
    const exitCode = Number.parseInt(text, 10);
    if (Number.isNaN(exitCode)) return undefined;
    const oomKilled = await stat(path.join(bundle, "oom")).then(
      () => true,
      () => false,
    );
    return { exitCode, finishedAtNs: String(ctimeNs), oomKilled };
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** The control fifo has a reader as long as the monitor lives; without one the open fails instead of waiting. */
async function writeControl(bundle: string, command: string): Promise<void> {
  const fifo = path.join(bundle, "ctl");
  const writeOnlyNonBlocking = 0o4001;
  try {
    const handle = await open(fifo, writeOnlyNonBlocking);
    try {
      await handle.write(command);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new DomainError(
      "failed-precondition",
      `the monitor of ${bundle} does not listen on ${fifo}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
