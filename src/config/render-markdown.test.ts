import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { renderMarkdown } from "./render-markdown.ts";

const file = path.resolve(import.meta.dirname, "../../docs/configuration.md");

describe("docs/configuration.md", () => {
  it("is what scripts/generate-config-docs.ts writes", () => {
    assert.equal(readFileSync(file, "utf8"), renderMarkdown(), "run: node scripts/generate-config-docs.ts");
  });
});
