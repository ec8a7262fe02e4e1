import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultConfig } from "./default-config.ts";
import { loadConfig } from "./load-config.ts";
import { reload } from "./reload.ts";

async function configWith(flags: Record<string, string>) {
  const values = new Map(Object.entries(flags).map(([flag, value]) => [flag, [value]]));
  const loaded = await loadConfig({ file: "", fileIsRequired: false, directory: "", environment: {}, flags: values });
  return loaded.config;
}

describe("reload", () => {
  it("takes over reloadable options and lists those that need a restart", async () => {
    const next = await configWith({ "log-level": "debug", root: "/elsewhere", runtimes: "x:/bin/x" });
    const result = reload(defaultConfig(), next);
    assert.equal(result.config.runtime.logLevel, "debug");
    assert.ok(result.config.runtime.runtimes.has("x"));
    assert.equal(result.config.crio.root, "/var/lib/berth");
    assert.deepEqual(
      result.changed.map(({ path }) => path),
      ["crio.runtime.log_level", "crio.runtime.runtimes"],
    );
    assert.deepEqual(
      result.needRestart.map(({ path }) => path),
      ["crio.root"],
    );
    assert.deepEqual(result.needRestart[0], {
      path: "crio.root",
      before: '"/var/lib/berth"',
      after: '"/elsewhere"',
    });
  });

  it("changes nothing when nothing changed", () => {
    const before = defaultConfig();
    assert.deepEqual(reload(before, defaultConfig()), { config: before, changed: [], needRestart: [] });
  });
});
