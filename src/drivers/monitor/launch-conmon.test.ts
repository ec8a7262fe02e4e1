import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { smallFilesIn } from "#kernel/small-files.ts";
import { exampleCreate } from "./create-example.ts";
import { findMonitors, haltMonitors } from "./find-monitors.ts";
import { launchConmon } from "./launch-conmon.ts";

describe("a monitor that does not answer in time", () => {
  let bundle: string;
  beforeEach(() => {
    bundle = mkdtempSync(path.join(os.tmpdir(), "berth-monitor-"));
  });
  afterEach(() => {
    haltMonitors("c1", bundle);
    rmSync(bundle, { recursive: true });
  });

  it(
    "is ended with all that it has started, so that it makes no container afterwards",
    { timeout: 20_000 },
    async () => {
      const program = { path: path.join(bundle, "conmon"), env: { PATH: process.env["PATH"] ?? "" }, noSyncLog: false };
      // As conmon does: goes to the background, and waits there for the runtime.
      writeFileSync(program.path, '#!/bin/sh\nread allowed <&4\nsh -c "sleep 1000; :" "$@" &\n');
      chmodSync(program.path, 0o755);
      const request = exampleCreate({ bundle, timeoutMs: 500 });
      const argv = [program.path, "--cid=c1", `--bundle=${bundle}`];
      await using launched = await launchConmon(argv, program, request, smallFilesIn(bundle));
      await assert.rejects(launched.create(), { kind: "deadline-exceeded" });
      while (findMonitors("c1", bundle).length > 0) await new Promise((resolve) => setImmediate(resolve));
    },
  );
});
