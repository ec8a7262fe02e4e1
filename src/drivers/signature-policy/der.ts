/** One element of DER (X.690): its tag byte and what is in it. */
export interface DerElement {
  tag: number;
  content: Buffer;
}

export const DerTag = {
  boolean: 0x01,
  integer: 0x02,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
} as const;

/** The elements that lie one after another in `bytes`. @throws Error for what is no DER with tags and lengths of usual size */
export function derElements(bytes: Buffer): DerElement[] {
  const elements: DerElement[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes.readUInt8(at);
    if ((tag & 0x1f) === 0x1f) throw malformed();
    const { length, start } = lengthAt(bytes, at + 1);
    if (start + length > bytes.length) throw malformed();
    elements.push({ tag, content: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return elements;
}

/** The elements of the one element of this tag that `bytes` are. @throws Error */
export function derContent(bytes: Buffer, tag: number): DerElement[] {
  return derElements(derValue(bytes, tag));
}

/** What is in the one element of this tag that `bytes` are. @throws Error */
export function derValue(bytes: Buffer, tag: number): Buffer {
  const [only, ...more] = derElements(bytes);
  if (only === undefined || more.length > 0 || only.tag !== tag) throw malformed();
  return only.content;
}

/** Short form, or the least number of bytes that holds the length; an indefinite one is not DER. */
function lengthAt(bytes: Buffer, at: number): { length: number; start: number } {
  if (at >= bytes.length) throw malformed();
  const first = bytes.readUInt8(at);
  if (first < 0x80) return { length: first, start: at + 1 };
  const size = first & 0x7f;
  if (size === 0 || size > 4 || at + 1 + size > bytes.length) throw malformed();
  const length = bytes.readUIntBE(at + 1, size);
  if (length < 0x80 || (size > 1 && length < 2 ** (8 * (size - 1)))) throw malformed();
  return { length, start: at + 1 + size };
}

/** `1.2.840.113549`. */
export function objectIdentifierText(content: Buffer): string {
  const numbers: number[] = [];
  let current = 0;
  for (const byte of content) {
    current = current * 128 + (byte & 0x7f);
    if (current > Number.MAX_SAFE_INTEGER) throw malformed();
    if ((byte & 0x80) !== 0) continue;
    numbers.push(current);
    current = 0;
  }
  const [first = 0, ...rest] = numbers;
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - root * 40, ...rest].join(".");
}

function malformed(): Error {
  return new Error("it is not well-formed DER");
}
