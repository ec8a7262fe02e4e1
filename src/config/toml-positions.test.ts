import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tomlPositions } from "./toml-positions.ts";

const source = [
  "# comment with [brackets] = and 'quotes",
  "top = 1",
  "[a.b]",
  'text = """',
  "fake = 1",
  '[fake]"""""',
  "list = [ # [ in a comment",
  "  \"]\", '[',",
  "  2 ]",
  "  c.d = 'it\\'",
  '["quoted.key".x]',
  '"with space" = { inner = 1 }',
  "[[many]]",
  "name = 'a'",
  "[a.e]",
  "last = true",
].join("\n");

describe("positions of keys in TOML", () => {
  const expected: [string[], number, number][] = [
    [["top"], 2, 1],
    [["a", "b"], 3, 1],
    [["a", "b", "text"], 4, 1],
    [["a", "b", "list"], 7, 1],
    [["a", "b", "c"], 10, 3],
    [["a", "b", "c", "d"], 10, 3],
    [["quoted.key", "x", "with space"], 12, 1],
    [["many", "name"], 14, 1],
    [["a", "e", "last"], 16, 1],
  ];
  const positions = tomlPositions(source);
  for (const [path, line, column] of expected) {
    it(`finds ${path.join(" > ")}`, () => {
      assert.deepEqual(positions.find(path), { line, column });
    });
  }

  it("takes nothing inside strings and lists for a key", () => {
    assert.equal(positions.find(["fake"]), undefined);
    assert.equal(positions.find(["missing"]), undefined);
  });

  it("falls back to the table that is written down", () => {
    assert.deepEqual(positions.find(["quoted.key", "x", "with space", "inner"]), { line: 12, column: 1 });
    assert.deepEqual(positions.find(["a", "b", "unknown"]), { line: 3, column: 1 });
  });
});
