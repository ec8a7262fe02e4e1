/** Where a key stands in a file; both count from 1. */
export interface Position {
  line: number;
  column: number;
}

/** Where the keys and tables of a TOML document stand, so that an error about a value can name its line. */
export interface TomlPositions {
  /** The position of a key path, or of the nearest table around it that is written down. */
  find(path: readonly string[]): Position | undefined;
}

/** Indexes the keys of a valid TOML document. Keys inside inline tables are found at the inline table. */
export function tomlPositions(source: string): TomlPositions {
  const positions = new Map<string, Position>();
  const cursor = new Cursor(source);
  let table: string[] = [];
  while (cursor.skipToNextExpression()) {
    const position = cursor.position();
    const isTable = cursor.take("[");
    if (isTable) cursor.take("[");
    const key = cursor.readDottedKey();
    if (key.length === 0) break;
    if (isTable) table = key;
    const path = isTable ? key : [...table, ...key];
    for (let depth = isTable ? key.length : table.length + 1; depth <= path.length; depth++) {
      const indexed = indexKey(path.slice(0, depth));
      if (!positions.has(indexed)) positions.set(indexed, position);
    }
    cursor.skipRestOfExpression();
  }
  return {
    find(path) {
      for (let depth = path.length; depth > 0; depth--) {
        const position = positions.get(indexKey(path.slice(0, depth)));
        if (position !== undefined) return position;
      }
      return undefined;
    },
  };
}

function indexKey(path: readonly string[]): string {
  return JSON.stringify(path);
}

/** Walks over TOML that is known to parse; it looks for the ends of things and checks nothing. */
class Cursor {
  private offset = 0;
  private line = 1;
  private lineStart = 0;
  private readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  position(): Position {
    return { line: this.line, column: this.offset - this.lineStart + 1 };
  }

  take(token: string): boolean {
    if (!this.source.startsWith(token, this.offset)) return false;
    this.offset += token.length;
    return true;
  }

  /** Moves to the next key or table header; false at the end. */
  skipToNextExpression(): boolean {
    while (this.offset < this.source.length) {
      const character = this.source[this.offset];
      if (character === "#") this.skipComment();
      else if (character !== undefined && /\s|\uFEFF/.test(character)) this.advance();
      else return true;
    }
    return false;
  }

  readDottedKey(): string[] {
    const parts: string[] = [];
    do {
      this.skipBlanks();
      const part = this.readKeyPart();
      if (part === undefined) break;
      parts.push(part);
      this.skipBlanks();
    } while (this.take("."));
    return parts;
  }

  /** Skips `]`, or `=` and a value with its brackets and strings, up to the end of the line it ends on. */
  skipRestOfExpression(): void {
    let depth = 0;
    while (this.offset < this.source.length) {
      const character = this.source[this.offset];
      if (character === "\n" && depth <= 0) return;
      if (character === "#") this.skipComment();
      else if (character === '"' || character === "'") this.skipString(character);
      else {
        if (character === "[" || character === "{") depth += 1;
        if (character === "]" || character === "}") depth -= 1;
        this.advance();
      }
    }
  }

  private readKeyPart(): string | undefined {
    const quote = this.source[this.offset];
    if (quote === '"' || quote === "'") {
      const start = this.offset;
      this.skipString(quote);
      const inner = this.source.slice(start + 1, this.offset - 1);
      return quote === "'" ? inner : unescape(inner);
    }
    const bare = /[A-Za-z0-9_-]+/y;
    bare.lastIndex = this.offset;
    const match = bare.exec(this.source);
    this.offset = match === null ? this.offset : bare.lastIndex;
    return match?.[0];
  }

  private skipString(quote: string): void {
    const fence = this.source.startsWith(quote.repeat(3), this.offset) ? quote.repeat(3) : quote;
    this.offset += fence.length;
    while (this.offset < this.source.length) {
      if (quote === '"' && this.source[this.offset] === "\\") this.advance();
      else if (this.take(fence)) {
        // A multi-line string may end in up to two more quotes that belong to it.
        while (fence.length === 3 && this.take(quote));
        return;
      }
      this.advance();
    }
  }

  private skipComment(): void {
    while (this.offset < this.source.length && this.source[this.offset] !== "\n") this.advance();
  }

  private skipBlanks(): void {
    while (this.source[this.offset] === " " || this.source[this.offset] === "\t") this.offset += 1;
  }

  private advance(): void {
    if (this.source[this.offset] === "\n") {
      this.line += 1;
      this.lineStart = this.offset + 1;
    }
    this.offset += 1;
  }
}

function unescape(inner: string): string {
  try {
    return String(JSON.parse(`"${inner}"`));
  } catch {
    return inner;
  }
}
