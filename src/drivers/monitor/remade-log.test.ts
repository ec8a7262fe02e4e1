import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { onceRemade } from "./remade-log.ts";

describe("a log that is reopened", () => {
  const inDirectory = async (use: (logPath: string) => Promise<void>): Promise<void> => {
    const directory = mkdtempSync(path.join(tmpdir(), "berth-log-"));
    try {
      await use(path.join(directory, "pod", "0.log"));
    } finally {
      rmSync(directory, { recursive: true });
    }
  };

  it("is waited for until a new file is in its place", async () => {
    await inDirectory(async (logPath) => {
      mkdirSync(path.dirname(logPath));
      writeFileSync(logPath, "old");
      const reopen = async (): Promise<void> => {
        writeFileSync(`${logPath}.tmp`, "new");
        renameSync(`${logPath}.tmp`, logPath);
      };
      await onceRemade("c", logPath, reopen);
    });
  });

  it("is not asked of the monitor, which would end, when its directory is gone", async () => {
    await inDirectory(async (logPath) => {
      let asked = false;
      const reopen = async (): Promise<void> => void (asked = true);
      await assert.rejects(onceRemade("c", logPath, reopen), {
        kind: "failed-precondition",
        message:
          /^container c: its log .*0\.log cannot be reopened: the directory .*pod is gone.*reopen the log again$/,
      });
      assert.equal(asked, false);
    });
  });

  it("fails as the monitor fails", async () => {
    await inDirectory(async (logPath) => {
      mkdirSync(path.dirname(logPath));
      await assert.rejects(
        onceRemade("c", logPath, () => Promise.reject(new Error("no reader"))),
        /no reader/,
      );
    });
  });
});
