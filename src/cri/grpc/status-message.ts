/** What may stand in `grpc-message` as it is: printable ASCII but the percent sign, and no space at an end, where HTTP would drop it. */
const escaped = /[^\x20-\x24\x26-\x7e]+|^ +| +$/gu;

/** Text as the header `grpc-message` carries it: UTF-8, percent-encoded. `text` has to be well-formed Unicode. */
export function encodeStatusMessage(text: string): string {
  return text.replaceAll(escaped, (part) =>
    Buffer.from(part, "utf8").toString("hex").toUpperCase().replaceAll(/../g, "%$&"),
  );
}

/** The text of a `grpc-message`; what is wrongly encoded is given back as it came, since it is for people. */
export function decodeStatusMessage(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
