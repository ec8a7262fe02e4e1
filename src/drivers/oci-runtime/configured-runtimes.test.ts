import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { configuredHandler, configuredRuntimes, platformHandler } from "./configured-runtimes.ts";
import type { OciRuntime } from "./index.ts";

const runtime = (handler: string) => ({ handler, path: `/bin/${handler}` }) as OciRuntime;
const arm = platformHandler("crun", "linux/arm64");
const runtimes = configuredRuntimes(
  [runtime("crun"), runtime(arm), runtime("runc")],
  "crun",
  new Map([["kata", "kata-runtime is not installed"]]),
);

describe("the configured runtimes", () => {
  it("are found by handler, the default one by none", () => {
    assert.equal(runtimes.get("").handler, "crun");
    assert.equal(runtimes.get("runc").handler, "runc");
    assert.deepEqual(runtimes.handlers, ["crun", "runc"]);
  });

  it("may have another program for a platform, which is found by its own name again", () => {
    const found = runtimes.forPlatform("", { os: "linux", architecture: "arm64" });
    assert.equal(found.handler, arm);
    assert.equal(runtimes.get(found.handler), found);
    assert.equal(configuredHandler(found.handler), "crun");
    assert.equal(runtimes.forPlatform("crun", { os: "linux", architecture: "amd64" }).handler, "crun");
    assert.equal(runtimes.forPlatform("runc", { os: "linux", architecture: "arm64" }).handler, "runc");
  });

  it("say why one cannot be used, or which there are", () => {
    assert.throws(() => runtimes.get("kata"), { kind: "failed-precondition", message: /not installed/ });
    assert.throws(() => runtimes.get("x"), { kind: "invalid-argument", message: /there are crun, runc$/ });
  });
});
