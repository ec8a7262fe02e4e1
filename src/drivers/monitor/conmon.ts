import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import type { SmallFiles } from "#kernel/small-files.ts";
import { run } from "#kernel/spawn.ts";
import type { Logger } from "#observability/logger.ts";
import { conmonArguments, type ConmonProgram, type ConmonSettings } from "./conmon-arguments.ts";
import { reopenLog, resizeTerminal } from "./control-fifo.ts";
import { ExitRecords } from "./exit-records.ts";
import { findMonitors, haltMonitors } from "./find-monitors.ts";
import { launchConmon } from "./launch-conmon.ts";
import type { LaunchedMonitor, Monitor, MonitoredCreate } from "./index.ts";

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
  const exits = new ExitRecords(options.exitsDirectory, logger);

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

    reopenLog,
    resizeTerminal,
    exitRecord: (id, bundle) => exits.read(id, bundle),
    onExit: (listener) => exits.onAppearance(listener),

    async forget(id) {
      await exits.remove(id);
      await rm(path.join(options.attachDirectory, id), { recursive: true, force: true });
    },

    attachSocket(id) {
      return path.join(options.attachDirectory, id, "attach");
    },

    close() {
      exits.close();
    },
  };
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
