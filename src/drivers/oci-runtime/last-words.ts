/**
 * What a runtime said last, without the decoration of its logger: of a logfmt line (`time=... level=error msg="..."`)
 * the message, of anything else the last non-empty lines.
 */
export function lastWords(stderr: string): string {
  const lines = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const messages = lines.map(messageOfLine);
  return messages.slice(-3).join("; ") || "it said nothing";
}

function messageOfLine(line: string): string {
  const logfmt = /\bmsg="((?:[^"\\]|\\.)*)"/.exec(line);
  if (logfmt?.[1] !== undefined) return unescaped(logfmt[1]);
  if (line.startsWith("{")) {
    try {
      const { msg } = JSON.parse(line) as { msg?: unknown };
      if (typeof msg === "string") return msg;
    } catch {
      return line;
    }
  }
  return line;
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, letter: string) => (letter === "n" ? "\n" : letter));
}
