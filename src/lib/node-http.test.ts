import assert from "node:assert/strict";
import { it } from "node:test";
import { createServer } from "./node-http.ts";

// Not documented, but nothing else says it; without it the test fails and tells that it has to look elsewhere.
function loadedModules(): string[] {
  assert.ok("moduleLoadList" in process && Array.isArray(process.moduleLoadList));
  return process.moduleLoadList.map(String);
}

it("HTTP is served and asked without undici", () => {
  createServer();
  const modules = loadedModules();
  assert.ok(modules.some((name) => name.includes("_http_server")));
  assert.deepEqual(
    modules.filter((name) => name.includes("undici")),
    [],
  );
});
