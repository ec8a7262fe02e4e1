// Writes docs/configuration.md from the table of options.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { renderMarkdown } from "#config/render-markdown.ts";

const file = path.resolve(import.meta.dirname, "../docs/configuration.md");
writeFileSync(file, renderMarkdown());
process.stdout.write(`wrote ${file}\n`);
