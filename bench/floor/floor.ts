import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { pinnedNamespaces } from "#drivers/namespaces/pinned-namespaces.ts";
import type { Namespaces } from "#drivers/namespaces/index.ts";
import { KernelThread } from "#kernel/kernel-thread.ts";
import { mountOverlay } from "#kernel/overlay.ts";
import { unmount } from "#kernel/mount.ts";
import { run } from "#kernel/spawn.ts";
import { busyboxEntries } from "../../test/support/busybox.ts";
import { eventually } from "../../test/support/eventually.ts";
import type { Parts } from "../daemons/crio-conf.ts";
import { clearAway } from "../daemons/daemon.ts";
import type { Places } from "../daemons/places.ts";
import { timedMs } from "../measure/timed.ts";
import { floorSpec, independentTemplate, type OciConfiguration } from "./floor-spec.ts";

const commandTimeoutMs = 60_000;
const signalAgainMs = 500;

/** What is called directly when a pod starts. */
export interface FloorStart {
  id: string;
  addMs: number;
  createMs: number;
  startMs: number;
}

/** What is called directly when it ends. */
export interface FloorEnd {
  killMs: number;
  deleteMs: number;
  delMs: number;
}

/**
 * The bare cost of a pod: the CNI plugins and the OCI runtime, called the way a runtime has to call them, with the configuration
 * that a daemon gave its container. Namespaces, root file system and bundle are there before the clock starts.
 */
export class Floor implements AsyncDisposable {
  readonly name = "floor";
  readonly #places: Places;
  readonly #parts: Parts;
  readonly #thread = new KernelThread();
  readonly #namespaces: Namespaces;
  readonly #lower: string;
  readonly #environment: Record<string, string>;
  #template: OciConfiguration | undefined;
  #serial = 0;

  constructor(places: Places, parts: Parts) {
    this.#places = places;
    this.#parts = parts;
    this.#namespaces = pinnedNamespaces(path.join(places.runroot, "namespaces"), this.#thread);
    this.#lower = path.join(places.root, "lower");
    this.#environment = { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" };
    writeRootfs(this.#lower);
  }

  /** Takes over the configuration that a daemon gave a container. */
  useTemplate(spec: OciConfiguration): void {
    this.#template = independentTemplate(spec, path.join(this.#places.folder, "mount-sources"));
  }

  async startPod(): Promise<FloorStart> {
    this.#serial += 1;
    const id = `floor${this.#serial.toString().padStart(8, "0")}`;
    const { net = "" } = await this.#namespaces.pin(id, ["net"], { sysctls: {} });
    await this.#makeBundle(id, net);
    return {
      id,
      addMs: await timedMs(() => this.#plugin("ADD", id, net)),
      createMs: await timedMs(() =>
        this.#runtime("create", "--bundle", this.#bundle(id), "--pid-file", path.join(this.#bundle(id), "pid"), id),
      ),
      startMs: await timedMs(() => this.#runtime("start", id)),
    };
  }

  /** Ends a pod once its service listens to signals. */
  async endPod(id: string): Promise<FloorEnd> {
    const pid = this.#processOf(id);
    await eventually(`process ${pid} of the floor to wait for SIGTERM`, () => (awaitsTerm(pid) ? true : undefined));
    return this.#end(id, pid, "SIGTERM");
  }

  /** Takes a pod away, whatever it does. */
  async removePod(id: string): Promise<void> {
    await this.#end(id, this.#processOf(id), "SIGKILL");
  }

  async #end(id: string, pid: number, signal: NodeJS.Signals): Promise<FloorEnd> {
    const times = {
      killMs: await timedMs(async () => {
        const { exited } = this.#thread.watchExit(pid);
        // A shell may have looked for signals just before it came: it is told again, as runtimes do.
        const again = setInterval(() => process.kill(pid, signal), signalAgainMs);
        process.kill(pid, signal);
        await exited;
        clearInterval(again);
      }),
      deleteMs: await timedMs(() => this.#runtime("delete", id)),
      delMs: await timedMs(() => this.#plugin("DEL", id, path.join(this.#places.runroot, "namespaces/netns", id))),
    };
    await this.#namespaces.unpin(id);
    unmount(path.join(this.#bundle(id), "rootfs"));
    await rm(this.#bundle(id), { recursive: true });
    return times;
  }

  #processOf(id: string): number {
    return Number(readFileSync(path.join(this.#bundle(id), "pid"), "utf8"));
  }

  /** Executes `true` in the container of a pod. */
  async execTrue(id: string): Promise<void> {
    await this.#runtime("exec", id, "true");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread.close();
    await clearAway(this.#places);
  }

  #bundle(id: string): string {
    return path.join(this.#places.runroot, "bundles", id);
  }

  async #makeBundle(id: string, netns: string): Promise<void> {
    if (this.#template === undefined) throw new Error("the floor has no container configuration");
    const bundle = this.#bundle(id);
    const [rootfs, upperDir, workDir] = ["rootfs", "upper", "work"].map((name) => path.join(bundle, name));
    if (rootfs === undefined || upperDir === undefined || workDir === undefined) throw new Error("unreachable");
    await Promise.all([rootfs, upperDir, workDir].map((folder) => mkdir(folder, { recursive: true })));
    await mountOverlay({ target: rootfs, lowerDirs: [this.#lower], upper: { upperDir, workDir } });
    const spec = floorSpec(this.#template, { id, rootfs, netns, cgroupParent: this.#places.podsCgroup });
    await writeFile(path.join(bundle, "config.json"), JSON.stringify(spec));
  }

  async #plugin(command: "ADD" | "DEL", id: string, netns: string): Promise<void> {
    const file = path.join(this.#places.conflistFolder, "10-bench.conflist");
    const list = JSON.parse(readFileSync(file, "utf8")) as {
      cniVersion: string;
      name: string;
      plugins: { type: string }[];
    };
    const { cniVersion, name } = list;
    const env = {
      ...this.#environment,
      CNI_COMMAND: command,
      CNI_CONTAINERID: id,
      CNI_NETNS: netns,
      CNI_IFNAME: "eth0",
      CNI_ARGS: "IgnoreUnknown=1",
      CNI_PATH: this.#parts.pluginFolder,
    };
    for (const plugin of list.plugins) {
      const input = JSON.stringify({ ...plugin, cniVersion, name });
      const argv = [path.join(this.#parts.pluginFolder, plugin.type)];
      const result = await run(argv, { env, input, timeoutMs: commandTimeoutMs });
      if (result.exitCode !== 0) throw new Error(`${command} of ${plugin.type} failed: ${result.stdout.toString()}`);
    }
  }

  async #runtime(...args: string[]): Promise<void> {
    const argv = [this.#parts.runtime, "--root", path.join(this.#places.runroot, "oci"), ...args];
    const result = await run(argv, { env: this.#environment, timeoutMs: commandTimeoutMs });
    if (result.exitCode !== 0) throw new Error(`${argv.join(" ")} failed: ${result.stderr.toString()}`);
  }
}

/** Whether a process sleeps and has set a handler, from the mask of its caught signals (proc_pid_status(5)). */
function awaitsTerm(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const caught = /^SigCgt:\s+([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
  const term = 1n << BigInt(os.constants.signals.SIGTERM - 1);
  return /^State:\s+S/m.test(status) && (BigInt(`0x${caught}`) & term) !== 0n;
}

/** Unpacks the service image by hand: the floor has no image store. */
function writeRootfs(folder: string): void {
  for (const { path: name, kind = "file", content, target, mode } of busyboxEntries()) {
    const place = path.join(folder, name);
    if (kind === "directory") mkdirSync(place, { recursive: true, mode: mode ?? 0o755 });
    else if (kind === "symlink") symlinkSync(target ?? "", place);
    else writeFileSync(place, content ?? "", { mode: mode ?? 0o755 });
  }
}
