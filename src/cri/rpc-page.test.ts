import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ImageService, RuntimeService } from "./gen/runtime/v1/api_pb.ts";

test("docs/cri.md names every RPC of both services in its table", () => {
  const page = readFileSync(new URL("../../docs/cri.md", import.meta.url), "utf8");
  const rows = page.split("\n").filter((line) => line.startsWith("| "));
  const named = new Set(rows.flatMap((row) => (row.split("|")[1] ?? "").split(",").map((name) => name.trim())));
  const rpcs = [RuntimeService, ImageService].flatMap((service) => service.methods.map((method) => method.name));
  assert.equal(rpcs.length, 41);
  assert.deepEqual(
    rpcs.filter((name) => !named.has(name)),
    [],
  );
});
