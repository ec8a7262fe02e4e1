import assert from "node:assert/strict";
import { it } from "node:test";
import { defaultConfig, pathsOf, resolveRuntimeHandlers } from "#config/index.ts";
import { fakeRuntime, fakeRuntimes } from "#drivers/oci-runtime/fake.ts";
import { FakeSecurity } from "#drivers/security/fake.ts";
import { containerSettings } from "./domain-settings.ts";

it("pause processes follow pause_image and pause_command as they are after a reload", () => {
  const before = defaultConfig();
  let config = before;
  const [handler] = resolveRuntimeHandlers(before).values();
  assert.ok(handler !== undefined);
  const handlers = {
    runtimes: fakeRuntimes(fakeRuntime()),
    check: () => assert.fail("no pod is made"),
    settings: () => handler,
    monitorOf: () => assert.fail("no container is created"),
    isSandboxed: () => false,
    features: [],
  };
  const settings = containerSettings(() => config, pathsOf(before), {
    bootId: "boot",
    handlers,
    security: new FakeSecurity(),
  });
  config = {
    ...before,
    image: { ...before.image, pauseImage: "registry.example/pause:2", pauseCommand: "/wait ever" },
  };
  assert.equal(settings.pauseImage, "registry.example/pause:2");
  assert.deepEqual(settings.pauseCommand, ["/wait", "ever"]);
});
