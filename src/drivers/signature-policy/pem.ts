const block = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([A-Za-z0-9+/=\s]*?)-----END \1-----(?:\r?\n|$)/g;

/** The DER bytes of all blocks of these kinds. @throws Error when there is none */
export function pemBlocks(text: string, ...labels: string[]): Buffer[] {
  const found = [...text.matchAll(block)].filter(([, label = ""]) => labels.includes(label));
  if (found.length === 0) throw new Error(`it holds no ${labels.join(" or ")} in PEM`);
  return found.map(([, , base64 = ""]) => Buffer.from(base64, "base64"));
}

/** The DER bytes of the one block that a text is, of whatever kind. @throws Error */
export function onlyPemBlock(text: string): Buffer {
  const [first, ...more] = [...text.matchAll(block)];
  if (first === undefined || more.length > 0 || text.replace(block, "").trim() !== "")
    throw new Error("it is not one block in PEM");
  return Buffer.from(first[2] ?? "", "base64");
}
