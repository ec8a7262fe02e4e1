const newline = 0x0a;
const space = 0x20;
const idPattern = /^[\w.-]+$/;

/** The line that makes `json` the record of `id`, or that removes it. */
export function recordLine(id: string, json?: string | Buffer): Buffer {
  if (!idPattern.test(id)) throw new Error(`${JSON.stringify(id)} is no id of a record`);
  return json === undefined
    ? Buffer.from(`${id}\n`)
    : Buffer.concat([Buffer.from(`${id} `), Buffer.from(json), Buffer.from("\n")]);
}

/**
 * Puts the last record of each id in `content` into `into`, and takes those out of it that were removed. What has no newline was not written to its
 * end, and nobody was told that it was. What does not begin with an id is given under a name made of `fileName`, for it is no record either.
 */
export function latestLines(
  content: Buffer,
  fileName: string,
  into: Map<string, Buffer> = new Map(),
): Map<string, Buffer> {
  let start = 0;
  for (let end = content.indexOf(newline); end !== -1; end = content.indexOf(newline, start)) {
    const line = content.subarray(start, end);
    const idEnd = line.indexOf(space);
    const id = line.toString("latin1", 0, idEnd === -1 ? line.length : idEnd);
    if (!idPattern.test(id)) into.set(`unreadable-${fileName}-${start}`, line);
    else if (idEnd === -1) into.delete(id);
    else into.set(id, line.subarray(idEnd + 1));
    start = end + 1;
  }
  return into;
}
