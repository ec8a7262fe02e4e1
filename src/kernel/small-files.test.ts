import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { smallFilesIn } from "./small-files.ts";

describe("small files", () => {
  for (const place of [tmpdir(), "/dev/shm"]) {
    it(`are made, replaced and read below ${place}`, async () => {
      const directory = mkdtempSync(path.join(place, "berth-small-"));
      try {
        const files = smallFilesIn(directory);
        const nested = path.join(directory, "a", "b");
        await files.makeDirectory(nested, 0o711);
        await files.makeDirectory(nested, 0o700);
        assert.equal(statSync(nested).mode & 0o777, 0o711);
        const file = path.join(nested, "file");
        await files.write(file, "a longer text", 0o640);
        await files.write(file, "text", 0o600);
        assert.equal(readFileSync(file, "utf8"), "text");
        assert.equal(statSync(file).mode & 0o777, 0o640);
        assert.equal(await files.read(file), "text");
        await files.remove(file);
        await files.remove(file);
        await assert.rejects(files.read(file), { code: "ENOENT" });
        await assert.rejects(files.write(nested, "", 0o600), { code: "EISDIR" });
        await files.write(file, "", 0o600);
        await assert.rejects(files.makeDirectory(file, 0o700), { code: "EEXIST" });
      } finally {
        rmSync(directory, { recursive: true });
      }
    });
  }
});
