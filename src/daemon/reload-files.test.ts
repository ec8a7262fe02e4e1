import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type FileReaders, reloadFiles } from "./reload-files.ts";

function readers(read: string[], changes: Partial<FileReaders<string>> = {}): FileReaders<string> {
  return {
    findHandlers: async () => "handlers",
    registry: { reload: async () => void read.push("registries") },
    streaming: { reloadTls: async () => void read.push("certificates") },
    ...changes,
  };
}

describe("a reload", () => {
  it("takes the configuration over once the files beside it are read", async () => {
    const done: string[] = [];
    await reloadFiles(readers(done), (handlers) => void done.push(`${handlers} taken over`));
    assert.deepEqual(done, ["registries", "certificates", "handlers taken over"]);
  });

  it("that fails leaves the configuration as it was, and reads the other files all the same", async () => {
    const done: string[] = [];
    const registry = { reload: () => Promise.reject(new Error("registries.conf:1")) };
    await assert.rejects(
      reloadFiles(readers(done, { registry }), () => void done.push("taken over")),
      { message: "registries.conf:1" },
    );
    assert.deepEqual(done, ["certificates"]);
  });

  it("fails where a program of the new configuration is missing", async () => {
    const done: string[] = [];
    const findHandlers = () => Promise.reject(new Error("crun is not installed"));
    await assert.rejects(
      reloadFiles(readers(done, { findHandlers }), () => void done.push("taken over")),
      { message: "crun is not installed" },
    );
    assert.deepEqual(done, ["registries", "certificates"]);
  });
});
