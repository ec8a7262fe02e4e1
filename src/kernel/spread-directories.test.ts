import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { findProgram } from "./program-path.ts";
import { spreadDirectoriesIn } from "./spread-directories.ts";

const extMagic = 0xef53;
const onExt4 = statfsSync(tmpdir()).type === extMagic;
const cannotAsk = findProgram("lsattr") === undefined ? "not installed: lsattr" : false;

describe("a directory whose directories are spread", () => {
  it(
    "is marked so on ext4, as often as one likes, and keeps its other flags",
    {
      skip: onExt4 ? cannotAsk : `${tmpdir()} is not on ext4`,
    },
    () => {
      const directory = mkdtempSync(path.join(tmpdir(), "berth-spread-"));
      try {
        execFileSync("chattr", ["+A", directory]);
        spreadDirectoriesIn(directory);
        spreadDirectoriesIn(directory);
        mkdirSync(path.join(directory, "below"));
        assert.match(flagsOf(directory), /T/);
        assert.match(flagsOf(directory), /A/);
        assert.doesNotMatch(flagsOf(path.join(directory, "below")), /T/);
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
  );

  it("stays as it is elsewhere", () => {
    const directory = mkdtempSync("/dev/shm/berth-spread-");
    try {
      const before = statSync(directory, { bigint: true });
      spreadDirectoriesIn(directory);
      assert.deepEqual(statSync(directory, { bigint: true }), before);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

function flagsOf(directory: string): string {
  return execFileSync("lsattr", ["-d", directory], { encoding: "utf8" }).split(" ")[0] ?? "";
}
