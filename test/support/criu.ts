import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { findProgram } from "./requirements.ts";

/** Why no container can be checkpointed here, fit for `skip`; false when it can. */
export function cannotCheckpoint(): string | false {
  const criu = findProgram("criu");
  if (criu === undefined) return "not installed: criu";
  const { status, stderr } = spawnSync(criu, ["check"], { encoding: "utf8" });
  if (status !== 0) return `criu check fails: ${stderr.trim().split("\n")[0]}`;
  return canDump(criu) ? false : "criu cannot dump a process with this kernel, though criu check finds nothing wrong";
}

/** Tries it on a process that sleeps: the check of criu knows less than a user-mode kernel lacks. */
function canDump(criu: string): boolean {
  const images = mkdtempSync(path.join(tmpdir(), "berth-criu-"));
  const sleeping = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
  try {
    const args = ["dump", "--leave-running", `--tree=${sleeping.pid}`, `--images-dir=${images}`];
    return spawnSync(criu, args).status === 0;
  } finally {
    sleeping.kill("SIGKILL");
    rmSync(images, { recursive: true, force: true });
  }
}

/** A criu in a folder of its own that hangs when it begins while `hangs` is a file that exists, and waits while `waits` is one. */
export class HesitantCriu {
  readonly folder: string;
  readonly hangs: string;
  readonly waits: string;

  constructor(folder: string) {
    this.folder = folder;
    this.hangs = path.join(folder, "hangs");
    this.waits = path.join(folder, "waits");
    mkdirSync(folder, { recursive: true });
    const loop = `while [ -e ${this.waits} ]; do sleep 0.1; done`;
    const script = `#!/bin/sh\n[ ! -e ${this.hangs} ] || sleep 1000\n${loop}\nexec ${findProgram("criu")} "$@"\n`;
    writeFileSync(path.join(folder, "criu"), script);
    chmodSync(path.join(folder, "criu"), 0o755);
  }
}
