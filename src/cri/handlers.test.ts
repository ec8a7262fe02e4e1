import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { services } from "./handlers.ts";

describe("the table of handlers", () => {
  it("has one for each of the 41 RPCs of the CRI and for berth's own", () => {
    const missing = services.flatMap(({ service, handlers }) =>
      service.methods.filter((method) => handlers[method.localName] === undefined).map((method) => method.name),
    );
    assert.deepEqual(missing, []);
    const counts = services.map(({ service, handlers }) => [service.typeName, Object.keys(handlers).length]);
    assert.deepEqual(counts, [
      ["runtime.v1.RuntimeService", 35],
      ["runtime.v1.ImageService", 6],
      ["berth.v1.Progress", 1],
    ]);
  });
});
