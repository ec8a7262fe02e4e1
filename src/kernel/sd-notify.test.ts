import assert from "node:assert/strict";
import { it } from "node:test";
import { notifyServiceManager } from "./sd-notify.ts";

it("a service manager that is not there is an error that names its socket", () => {
  assert.throws(() => notifyServiceManager("/nonexistent/notify", "READY=1"), {
    code: "ENOENT",
    path: "/nonexistent/notify",
  });
});

it("a name in the abstract namespace that nobody listens on is refused", () => {
  assert.throws(() => notifyServiceManager("@berth-test-nobody", "READY=1"), { code: "ECONNREFUSED" });
});
