import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { exitOnSignals } from "../support/at-exit.ts";
import { startDaemon, type TestDaemon } from "../support/daemon.ts";
import { eventually } from "../support/eventually.ts";
import { cannotRunPods } from "../support/requirements.ts";

/** Half of what a start leaves; a settled daemon has some 60 MiB. */
const mostMiB = 80;

describe("the daemon's memory", { skip: cannotRunPods() }, () => {
  let cache: string;
  let daemon: TestDaemon;

  before(async () => {
    exitOnSignals();
    cache = mkdtempSync(path.join(tmpdir(), "berth-cache-"));
    daemon = await startDaemon({
      environment: { NODE_COMPILE_CACHE: cache },
      config: { "crio.runtime": 'log_level = "debug"' },
    });
  });
  after(async () => {
    await daemon.cleanUp();
    rmSync(cache, { recursive: true });
  });

  const count = (text: string): number => daemon.log().split(text).length - 1;
  const residentMiB = (): number =>
    Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))?.[1]) / 1024;
  const released = (times: number): Promise<unknown> =>
    eventually(
      `memory was given back ${times} times, and ${mostMiB} MiB or less are left`,
      () => (count("memory was given back") >= times && residentMiB() <= mostMiB) || undefined,
    );

  it("holds no compiler: what had to compile replaced itself, with the same pid", async () => {
    assert.equal(count("starts again, from the cache"), 1);
    assert.equal(count("berth is starting"), 2);
    assert.ok(daemon.log().includes(`pid=${daemon.pid}`));
  });

  it("is given back after the start, and the daemon answers as before", async () => {
    await released(1);
    const { containers } = await daemon.client.call(RuntimeService.method.listContainers, {});
    assert.deepEqual(containers, []);
  });

  it("is as small after a start from the cache", async () => {
    const before = count("memory was given back");
    await daemon.restart("SIGTERM");
    assert.equal(count("starts again, from the cache"), 1);
    await released(before + 1);
  });
});
