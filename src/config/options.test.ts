import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { flagDefinitions } from "./flags.ts";
import { sectionList } from "./options.ts";

const allOptions = sectionList.flatMap(([, section]) => [
  ...Object.values(section.fields),
  ...Object.values(section.tables).flatMap((named) => Object.values(named.fields)),
]);

function duplicates(words: readonly string[]): string[] {
  return words.filter((word, index) => words.indexOf(word) !== index);
}

describe("the table of options", () => {
  it("gives no flag and no environment variable twice", () => {
    const flags = flagDefinitions();
    assert.deepEqual(duplicates(flags.flatMap(({ names }) => names)), []);
    assert.deepEqual(duplicates(flags.flatMap(({ short }) => short ?? [])), []);
    assert.deepEqual(duplicates(allOptions.flatMap(({ environment }) => environment ?? [])), []);
  });

  it("has defaults that pass their own checks, read back from TOML-like values", () => {
    for (const option of allOptions) {
      if (option.type !== "string" && option.type !== "list of strings") continue;
      // An annotation key is required where a workload is written, so its empty default is no value.
      if (option.key === "activation_annotation") continue;
      const reading = option.fromToml(option.default);
      assert.deepEqual(reading, { value: option.default }, option.key);
    }
  });

  it("describes every option in whole sentences", () => {
    for (const option of allOptions) assert.match(option.description, /^\S.*\.$/s, option.key);
  });
});
