import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { findProgram } from "./requirements.ts";

/** Why no container can be checkpointed here, fit for `skip`; false when it can. */
export function cannotCheckpoint(): string | false {
  const criu = findProgram("criu");
  if (criu === undefined) return "not installed: criu";
  const { status, stderr } = spawnSync(criu, ["check"], { encoding: "utf8" });
  return status === 0 ? false : `criu check fails: ${stderr.trim().split("\n")[0]}`;
}

/** A criu in a folder of its own that hangs before it does anything while `hangs` is a file that exists. */
export class HesitantCriu {
  readonly folder: string;
  readonly hangs: string;

  constructor(folder: string) {
    this.folder = folder;
    this.hangs = path.join(folder, "hangs");
    mkdirSync(folder, { recursive: true });
    const script = `#!/bin/sh\n[ ! -e ${this.hangs} ] || sleep 1000\nexec ${findProgram("criu")} "$@"\n`;
    writeFileSync(path.join(folder, "criu"), script);
    chmodSync(path.join(folder, "criu"), 0o755);
  }
}
