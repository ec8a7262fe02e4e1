import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fakeRuntime, fakeRuntimes } from "#drivers/oci-runtime/fake.ts";
import { exampleSandbox } from "#domain/pod/entity-examples.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { silentLogger } from "#observability/logger.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import { infraRunner } from "./infra.ts";

const noRuntimes = {
  get() {
    throw new Error('no runtime handler "runc" is configured');
  },
};

describe("the pause process of a pod", () => {
  const process = { pid: 1, startTime: "1" };

  async function removed(changes: Partial<Sandbox>, isConfigured = true): Promise<string[]> {
    const calls: string[] = [];
    const call = (what: string) => async () => void calls.push(what);
    const drivers = {
      settings: { dropInfra: false },
      runtimes: isConfigured ? fakeRuntimes(fakeRuntime({ delete: call("delete") })) : noRuntimes,
      processes: { signal: (_process: unknown, signal: string) => calls.push(signal) },
      logger: silentLogger,
      monitor: { halt: call("halt"), forget: call("forget") },
      storage: { removeRootfs: call("root") },
      cgroups: { removeMonitorGroup: call("group") },
      bundles: { path: (id: string) => `/bundles/${id}`, remove: call("bundle") },
    } as unknown as ContainerDrivers;
    await infraRunner(drivers).remove(exampleSandbox(changes));
    return calls;
  }

  it("is not made after all by a monitor whose daemon was killed", async () => {
    const calls = await removed({ state: { kind: "creating" } });
    assert.deepEqual(calls, ["halt", "delete", "root", "group", "bundle", "forget"]);
  });

  it("is not looked for among all processes once it is known", async () => {
    assert.equal((await removed({ infra: { process, monitor: process } })).includes("halt"), false);
  });

  it("ends with its pod also when its runtime handler is not configured any more", async () => {
    const calls = await removed({ infra: { process, monitor: process } }, false);
    assert.deepEqual(calls, ["SIGKILL", "root", "group", "bundle", "forget"]);
  });
});
