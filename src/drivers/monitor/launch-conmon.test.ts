import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { smallFilesIn } from "#kernel/small-files.ts";
import { withoutDescriptors } from "#kernel/without-descriptors.ts";
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

it("a monitor for which there are too few descriptors keeps none of them", async () => {
  const program = { path: "/bin/true", env: {}, noSyncLog: false };
  const request = exampleCreate();
  const files = smallFilesIn("/tmp");
  const held = (): number => readdirSync("/proc/self/fd").length;
  const before = held();
  for (const spare of [0, 1, 2, 3, 4]) {
    const launching = withoutDescriptors(() => launchConmon(["/bin/true"], program, request, files), spare);
    await assert.rejects(launching, { kind: "internal", message: /^container c1: .*(pipe2|memfd_create)/ });
    assert.equal(held(), before, `${spare} descriptors were free`);
  }
});
