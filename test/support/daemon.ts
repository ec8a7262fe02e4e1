import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { connect, type CriClient } from "#cri/client.ts";
import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { atExit } from "./at-exit.ts";
import { placesIn, writeConfiguration, type DaemonPlaces, type DaemonSettings } from "./daemon-config.ts";
import { eventually } from "./eventually.ts";
import { footprintOf, leftBehind, processesOf, type Footprint } from "./footprint.ts";
import { endAll, forceAway, forceAwayNow } from "./force-away.ts";
import { cniPluginFolder, findProgram } from "./requirements.ts";
import { freeSubnetPrefix } from "./subnet.ts";

export type { DaemonSettings } from "./daemon-config.ts";

const berth = path.resolve(import.meta.dirname, "../../bin/berth");
const startTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;

/** A berth of its own: folders, socket, bridge and cgroup parent are shared with nobody. */
export class TestDaemon implements AsyncDisposable {
  readonly places: DaemonPlaces;
  readonly client: CriClient;
  readonly #environment: NodeJS.ProcessEnv;
  #process: ChildProcess | undefined;
  #cleaned: Promise<string[]> | undefined;
  readonly #lastResort: Disposable;

  constructor(places: DaemonPlaces, environment: NodeJS.ProcessEnv) {
    this.places = places;
    this.#lastResort = atExit(() => forceAwayNow(places));
    this.#environment = environment;
    // A call that hangs must fail its test, not the whole file.
    this.client = connect(places.socket, { defaultTimeoutMs: 60_000 });
  }

  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined || !this.running) throw new Error("the daemon is not running");
    return pid;
  }

  get running(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Starts the process without waiting for its socket. */
  launch(): void {
    const log = openSync(this.places.daemonLog, "a");
    this.#process = spawn(berth, ["serve", "--config", this.places.configFile, "--config-dir", ""], {
      stdio: ["ignore", log, log],
      env: this.#environment,
    });
    closeSync(log);
  }

  /** Starts the process and resolves once it answers Version. */
  async start(): Promise<void> {
    this.launch();
    await this.ready();
  }

  /** Resolves once the daemon answers Version; fails with its log when it ends before. */
  async ready(): Promise<void> {
    const child = this.#process;
    if (child === undefined) throw new Error("the daemon was not launched");
    const waiting = new AbortController();
    const ended = once(child, "exit", { signal: waiting.signal }).then(([code, signal]) => {
      throw new Error(`berth ended with ${String(signal ?? code)} before it was ready:\n${this.logTail()}`);
    });
    const answering = this.client.ready(startTimeoutMs).catch((cause: unknown) => {
      throw new Error(`berth did not answer in ${startTimeoutMs} ms:\n${this.logTail()}`, { cause });
    });
    try {
      await Promise.race([answering, ended]);
    } finally {
      waiting.abort();
      ended.catch(() => {});
      answering.catch(() => {});
    }
  }

  /** Sends a signal and resolves once the process is gone. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#process;
    if (child === undefined || !this.running) return;
    const ended = once(child, "exit");
    child.kill(signal);
    const giveUp = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
    await ended;
    clearTimeout(giveUp);
    if (signal === "SIGTERM" && child.signalCode === "SIGKILL")
      throw new Error(`berth did not end ${stopTimeoutMs} ms after SIGTERM:\n${this.logTail()}`);
  }

  /** Resolves once the process has ended, by whatever. */
  async ended(): Promise<void> {
    if (this.#process !== undefined && this.running) await once(this.#process, "exit");
  }

  /** Kills the daemon, without warning unless told otherwise, and starts it again on the same folders. */
  async restart(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await this.kill(signal);
    await this.start();
  }

  /** Ends what a reboot would end, and makes the next start believe that the boot was another one. */
  pretendReboot(): void {
    if (this.running) throw new Error("a reboot ends the daemon first");
    endAll(this.places);
    const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const another = randomUUID();
    const records = readdirSync(this.places.root, { recursive: true, encoding: "utf8" }).filter((name) =>
      /\.json$|\/records-\d+\.log$/.test(name),
    );
    for (const name of records) {
      const file = path.join(this.places.root, name);
      const text = readFileSync(file, "utf8");
      if (text.includes(bootId)) writeFileSync(file, text.replaceAll(bootId, another));
    }
  }

  /** Adds a registry that plain http may be used for, by registries.conf and a restart. */
  async allowInsecure(host: string): Promise<void> {
    appendFileSync(this.places.registriesFile, `\n[[registry]]\nlocation = "${host}"\ninsecure = true\n`);
    await this.restart("SIGTERM");
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** All that the daemon has printed, over all its lives. */
  log(): string {
    return readFileSync(this.places.daemonLog, "utf8");
  }

  logTail(): string {
    return this.log().split("\n").slice(-40).join("\n");
  }

  footprint(): Footprint {
    return footprintOf(this.places);
  }

  /** Resolves once the daemon holds no more than it did; what it removes in the background has a moment to go. */
  async holdsNoMoreThan(before: Footprint): Promise<void> {
    const more = (): string[] => leftBehind(before, this.footprint());
    await eventually("", () => (more().length === 0 ? true : undefined), 5000).catch(() => {
      const left = more();
      if (left.length > 0) throw new Error(`left behind:\n${left.join("\n")}`);
    });
  }

  /** Stops and removes every pod through the CRI. */
  async removeAllPods(): Promise<void> {
    const { listPodSandbox, stopPodSandbox, removePodSandbox } = RuntimeService.method;
    const { items } = await this.client.call(listPodSandbox, {});
    await Promise.all(
      items.map(async ({ id }) => {
        await this.client.call(stopPodSandbox, { podSandboxId: id });
        await this.client.call(removePodSandbox, { podSandboxId: id });
      }),
    );
  }

  /**
   * Removes all pods, ends the daemon, and takes away by force what is still there. Returns a line for each thing that
   * the daemon had left behind, and for what failed on the way.
   */
  cleanUp(): Promise<string[]> {
    this.#cleaned ??= this.#cleanUp();
    return this.#cleaned;
  }

  async #cleanUp(): Promise<string[]> {
    const complaints: string[] = [];
    const attempt = async (step: string, work: () => Promise<unknown>): Promise<void> => {
      await work().catch((error: unknown) => complaints.push(`${step}: ${String(error)}`));
    };
    if (this.running) {
      await attempt("removing all pods", () => this.removeAllPods());
      await attempt("ending the daemon", () => this.kill("SIGTERM"));
    }
    this.client.close();
    const clean: Footprint = { mounts: [], links: [], cgroups: [], processes: [], leases: [], paths: [] };
    // A monitor ends a moment after its container; only what stays is left behind.
    await eventually("monitors to end", () => (processesOf(this.places).length === 0 ? true : undefined), 3000).catch(
      () => {},
    );
    complaints.push(...leftBehind(clean, { ...this.footprint(), paths: [] }));
    await attempt("taking away the rest", () => forceAway(this.places));
    this.#lastResort[Symbol.dispose]();
    return complaints;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const left = await this.cleanUp();
    if (left.length > 0) throw new Error(`the daemon left behind:\n${left.join("\n")}`);
  }
}

/** Makes the folders and files of a private daemon, without starting it. */
export function prepareDaemon(settings: DaemonSettings = {}): TestDaemon {
  const id = randomBytes(4).toString("hex");
  // Short, because a unix socket's path may have 107 bytes.
  const folder = mkdtempSync(path.join(tmpdir(), "berth-"));
  const places = placesIn(folder, id, freeSubnetPrefix(), settings.root);
  if (settings.sharedRunroot === true) {
    mkdirSync(places.runroot);
    execFileSync("mount", ["-t", "tmpfs", "berth-test", places.runroot]);
    execFileSync("mount", ["--make-shared", places.runroot]);
  }
  writeConfiguration(places, settings, {
    runtimePath: settings.runtimePath ?? required(process.env["BERTH_TEST_RUNTIME"] ?? "runc"),
    conmonPath: settings.conmonPath ?? required("conmon"),
    pluginFolders: settings.pluginFolders ?? [cniPluginFolder() ?? "/usr/lib/cni"],
  });
  return new TestDaemon(places, {
    ...process.env,
    ...settings.environment,
  });
}

/** Starts a private daemon and resolves once it answers. */
export async function startDaemon(settings: DaemonSettings = {}): Promise<TestDaemon> {
  const daemon = prepareDaemon(settings);
  try {
    await daemon.start();
    return daemon;
  } catch (error) {
    await daemon.cleanUp();
    throw error;
  }
}

function required(program: string): string {
  const found = findProgram(program);
  if (found === undefined) throw new Error(`${program} is not installed`);
  return found;
}
