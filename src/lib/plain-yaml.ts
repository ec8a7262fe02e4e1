import { DomainError } from "#errors/domain-error.ts";

/** A line that says something, without its indentation and comment. */
interface Line {
  indent: number;
  text: string;
  number: number;
}

/**
 * Reads the plain part of YAML 1.2 that programs write: block maps and lists, scalars on one line, one-line `[a, b]` lists,
 * empty `{}`. What it does not know (anchors, tags, block scalars, several documents, duplicate keys) is an error and
 * never a guess.
 * @throws DomainError invalid-argument with the line
 */
export function parsePlainYaml(text: string): unknown {
  const reader = new Reader(linesOf(text));
  const value = reader.value(0);
  reader.end();
  return value;
}

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const number = index + 1;
    if (/^ *\t/.test(raw)) throw invalid(number, "a tab is no indentation");
    const content = withoutComment(raw).trimEnd();
    if (content.trim() === "") continue;
    if (content === "---" && lines.length === 0) continue;
    if (content === "..." || content === "---" || content.startsWith("%"))
      throw invalid(number, "only one document without directives is read");
    const body = content.trimStart();
    lines.push({ indent: content.length - body.length, text: body, number });
  }
  return lines;
}

/** A comment starts at a `#` after a space, outside quotes. */
function withoutComment(raw: string): string {
  let quote = "";
  for (let index = 0; index < raw.length; index += 1) {
    const character = raw[index] ?? "";
    const startsToken = index === 0 || /[\s[{,:-]/.test(raw[index - 1] ?? "");
    if (quote !== "") {
      if (character === quote && !(quote === '"' && raw[index - 1] === "\\")) quote = "";
    } else if ((character === '"' || character === "'") && startsToken) quote = character;
    else if (character === "#" && (index === 0 || /\s/.test(raw[index - 1] ?? ""))) return raw.slice(0, index);
  }
  return raw;
}

class Reader {
  readonly #lines: Line[];
  #at = 0;

  constructor(lines: Line[]) {
    this.#lines = lines;
  }

  /** The value whose first line is indented by at least `indent`; null when there is none. */
  value(indent: number): unknown {
    const line = this.#lines[this.#at];
    if (line === undefined || line.indent < indent) return null;
    if (isItem(line.text)) return this.#list(line.indent);
    if (splitEntry(line) !== undefined) return this.#map(line.indent);
    this.#at += 1;
    return scalar(line.text, line.number);
  }

  end(): void {
    const line = this.#lines[this.#at];
    if (line !== undefined) throw invalid(line.number, "the indentation fits nothing above");
  }

  #list(indent: number): unknown[] {
    const items: unknown[] = [];
    for (let line = this.#lines[this.#at]; line !== undefined; line = this.#lines[this.#at]) {
      if (line.indent !== indent || !isItem(line.text)) break;
      const rest = line.text.slice(1).trimStart();
      if (rest === "") {
        this.#at += 1;
        items.push(this.value(indent + 1));
      } else {
        // `- key: value` begins a map whose keys stand below this one.
        const inner = { indent: indent + line.text.length - rest.length, text: rest, number: line.number };
        this.#lines[this.#at] = inner;
        items.push(this.value(inner.indent));
      }
    }
    return items;
  }

  #map(indent: number): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    for (let line = this.#lines[this.#at]; line !== undefined; line = this.#lines[this.#at]) {
      const entry = line.indent === indent ? splitEntry(line) : undefined;
      if (entry === undefined) break;
      if (entries.has(entry.key)) throw invalid(line.number, `the key ${entry.key} is there twice`);
      this.#at += 1;
      entries.set(entry.key, entry.rest === "" ? this.#nested(indent) : scalar(entry.rest, line.number));
    }
    return Object.fromEntries(entries);
  }

  /** What stands below a key: lists may be indented as much as the key itself. */
  #nested(indent: number): unknown {
    const line = this.#lines[this.#at];
    if (line !== undefined && line.indent === indent && isItem(line.text)) return this.#list(indent);
    return this.value(indent + 1);
  }
}

function isItem(text: string): boolean {
  return text === "-" || text.startsWith("- ");
}

/** `key: rest`; `undefined` for a line that is no entry of a map. */
function splitEntry(line: Line): { key: string; rest: string } | undefined {
  const quoted = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*:(?:\s+(.*))?$/.exec(line.text);
  if (quoted !== null) return { key: String(scalar(quoted[1] ?? "", line.number)), rest: quoted[2] ?? "" };
  const plain = /^([^\s"'[{&*!|>%@`#,?-][^#]*?|-[^\s#][^#]*?)\s*:(?:\s+(.*))?$/.exec(line.text);
  return plain === null ? undefined : { key: plain[1] ?? "", rest: plain[2] ?? "" };
}

function scalar(text: string, number: number): unknown {
  if (text.startsWith('"')) return doubleQuoted(text, number);
  if (text.startsWith("'")) {
    if (!/^'(?:[^']|'')*'$/.test(text)) throw invalid(number, "a quoted text does not end on its line");
    return text.slice(1, -1).replaceAll("''", "'");
  }
  if (text.startsWith("[")) return oneLineList(text, number);
  if (/^\{\s*\}$/.test(text)) return {};
  if (/^[{&*!|>%@`]/.test(text)) throw invalid(number, `${JSON.stringify(text)} is beyond the plain YAML that is read`);
  if (text === "null" || text === "~") return null;
  if (text === "true" || text === "false") return text === "true";
  if (/^0o?[0-7]+$/.test(text)) return Number.parseInt(text.replace(/^0o?/, ""), 8);
  if (/^(-?(?:0|[1-9]\d*)(?:\.\d+)?|0x[0-9a-fA-F]+)$/.test(text)) return Number(text);
  return text;
}

function doubleQuoted(text: string, number: number): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    throw invalid(number, `${text} is no quoted text on one line`);
  }
}

/** One value of a list in brackets, and the comma after it. */
const listItem = /\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s,[\]{}"'][^,[\]{}]*)\s*(?:,|$)/y;

function oneLineList(text: string, number: number): unknown[] {
  if (!text.endsWith("]")) throw invalid(number, "a list in brackets does not end on its line");
  const inner = text.slice(1, -1).trim();
  const items: unknown[] = [];
  listItem.lastIndex = 0;
  while (listItem.lastIndex < inner.length) {
    const found = listItem.exec(inner);
    if (found === null) throw invalid(number, "only plain values are read in brackets");
    items.push(scalar((found[1] ?? "").trim(), number));
  }
  return items;
}

function invalid(number: number, problem: string): DomainError {
  return new DomainError("invalid-argument", `line ${number}: ${problem}`);
}
