import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { createInterface, type Interface } from "node:readline";
import { cgroupfsCgroups } from "#drivers/cgroup/cgroupfs.ts";
import { connect, type CriClient } from "#cri/client.ts";
import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { forceAway } from "../../test/support/force-away.ts";
import { removeMasquerading } from "./iptables.ts";
import type { Places } from "./places.ts";

const startTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;
const callTimeoutMs = 300_000;
const reaper = path.join(import.meta.dirname, "reaper.ts");

/** A CRI socket that is measured. */
export interface Daemon {
  readonly name: string;
  readonly client: CriClient;
  /** The process that listens on the socket. */
  readonly pid: number;
  readonly podLogFolder: string;
  /** Parent for the pods' cgroups. */
  readonly podsCgroup: string;
  /** Set for daemons that the benchmark started itself, which alone can be restarted and counted whole. */
  readonly own: OwnDaemon | undefined;
}

/** What to start, and what to take away besides folders, mounts, cgroups, links and processes. */
export interface DaemonRecipe {
  argv: readonly string[];
  environment?: Readonly<Record<string, string>>;
  /** Address of a Prometheus endpoint, `http://host:port/metrics`. */
  metricsUrl?: string;
  cleanUp?: () => void;
}

/** A daemon that the benchmark starts with folders, socket, bridge and cgroups of its own. */
export class OwnDaemon implements Daemon, AsyncDisposable {
  readonly name: string;
  readonly places: Places;
  readonly client: CriClient;
  readonly metricsUrl: string | undefined;
  readonly #recipe: DaemonRecipe;
  readonly #reaper: ChildProcess;
  readonly #words: Interface;
  #pid: number | undefined;

  constructor(places: Places, recipe: DaemonRecipe) {
    this.name = places.name;
    this.places = places;
    this.#recipe = recipe;
    this.metricsUrl = recipe.metricsUrl;
    this.client = connect(places.socket, { defaultTimeoutMs: callTimeoutMs });
    const cgroupFile = path.join(daemonCgroup(places), "cgroup.procs");
    // By env(1), because some of it, such as NODE_OPTIONS, is not meant for the reaper.
    const environment = Object.entries(recipe.environment ?? {}).map(([name, value]) => `${name}=${value}`);
    const argv = ["/usr/bin/env", ...environment, ...recipe.argv];
    this.#reaper = spawn(process.execPath, [reaper, places.daemonLog, cgroupFile, ...argv], {
      stdio: ["pipe", "pipe", "inherit"],
      detached: true,
    });
    if (this.#reaper.stdout === null) throw new Error("the reaper was started without a pipe");
    this.#words = createInterface(this.#reaper.stdout);
    this.#words.on("line", (line) => {
      if (line.startsWith("ended ")) this.#pid = undefined;
    });
  }

  get own(): OwnDaemon {
    return this;
  }

  get podLogFolder(): string {
    return this.places.podLogFolder;
  }

  get podsCgroup(): string {
    return this.places.podsCgroup;
  }

  get pid(): number {
    if (this.#pid === undefined) throw new Error(`${this.name} is not running:\n${this.logTail()}`);
    return this.#pid;
  }

  /** Starts the process without waiting for its socket. */
  async launch(): Promise<void> {
    const answer = this.#nextWord("started");
    this.#reaper.stdin?.write("start\n");
    this.#pid = Number(await answer);
  }

  /** Starts the process and resolves once it answers Version and says that its network is ready. */
  async start(): Promise<void> {
    // As a kubelet does for each pod.
    await cgroupfsCgroups({ monitorCgroup: () => "" }).createParent(this.podsCgroup);
    await this.launch();
    const until = Date.now() + startTimeoutMs;
    const ended = new AbortController();
    this.#nextWord("ended").then(
      () => ended.abort(new Error(`${this.name} ended before it was ready:\n${this.logTail()}`)),
      () => {},
    );
    while (!(await this.#isReady())) {
      ended.signal.throwIfAborted();
      if (Date.now() > until)
        throw new Error(`${this.name} is not ready after ${startTimeoutMs} ms:\n${this.logTail()}`);
    }
  }

  async #isReady(): Promise<boolean> {
    try {
      const { status } = await this.client.call(RuntimeService.method.status, {}, { timeoutMs: 1000 });
      if (status?.conditions.every((condition) => condition.status) === true) return true;
    } catch {
      // Not there yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    return false;
  }

  /** Sends a signal and resolves once the process is gone; its pods run on. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#pid === undefined) return;
    const pid = this.#pid;
    const ended = this.#nextWord("ended");
    process.kill(pid, signal);
    const giveUp = setTimeout(() => process.kill(pid, "SIGKILL"), stopTimeoutMs);
    await ended;
    clearTimeout(giveUp);
  }

  logTail(): string {
    if (!existsSync(this.places.daemonLog)) return "";
    return readFileSync(this.places.daemonLog, "utf8").split("\n").slice(-30).join("\n");
  }

  /** Ends the daemon and takes away all that it made. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGTERM");
    this.client.close();
    this.#words.close();
    this.#reaper.stdin?.end();
    if (this.#reaper.exitCode === null) await once(this.#reaper, "exit");
    await clearAway(this.places);
    this.#recipe.cleanUp?.();
  }

  /** The rest of the next line of the reaper that begins with `word`. */
  #nextWord(word: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const onLine = (line: string): void => {
        if (!line.startsWith(`${word} `)) return;
        this.#words.off("line", onLine);
        resolve(line.slice(word.length + 1));
      };
      this.#words.on("line", onLine);
      this.#words.once("close", () => reject(new Error(`the reaper of ${this.name} is gone`)));
    });
  }
}

/** Takes away what a contestant that is not running any more has left of processes, mounts, cgroups, links and rules. */
export async function clearAway(places: Places): Promise<void> {
  await forceAway(places);
  removeMasquerading(places.network);
}

/** The cgroup that counts CPU time: cpuacct on version 1, the only hierarchy on version 2. */
export function accountingHierarchy(): string {
  const v1 = "/sys/fs/cgroup/cpuacct";
  return existsSync(v1) ? v1 : "/sys/fs/cgroup";
}

/** Makes the cgroup of the daemon itself, beside that of its pods. */
function daemonCgroup(places: Places): string {
  const folder = path.join(accountingHierarchy(), places.cgroupParent, "daemon");
  mkdirSync(folder, { recursive: true });
  return folder;
}
