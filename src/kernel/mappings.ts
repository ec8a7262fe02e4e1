/** A part of the address space, from /proc/self/smaps. */
export interface Mapping {
  readonly startAddress: bigint;
  readonly sizeBytes: number;
  /** As in `r-xp`. */
  readonly permissions: string;
  /** Of the file on its file system; 0 without one. */
  readonly inode: number;
  /** The other lines: kibibytes by name. */
  readonly kibibytes: ReadonlyMap<string, number>;
  /** VmFlags, two letters each; see proc_pid_smaps(5). */
  readonly flags: ReadonlySet<string>;
}

const header = /^([0-9a-f]+)-([0-9a-f]+) ([r-][w-][x-][sp]) [0-9a-f]+ \S+ (\d+) /;
const amount = /^(\w+): +(\d+) kB$/;

/** The mappings of one file, found in the text of smaps. That text is long, and reading all of it would take milliseconds. */
export function mappingsOf(path: string, smaps: string): Mapping[] {
  const mappings: Mapping[] = [];
  const headEnd = ` ${path}\n`;
  for (let at = smaps.indexOf(headEnd); at !== -1; at = smaps.indexOf(headEnd, at + 1)) {
    const start = smaps.lastIndexOf("\n", at) + 1;
    // The line of flags is the last one of a mapping.
    const flagsAt = smaps.indexOf("\nVmFlags: ", at);
    const end = flagsAt === -1 ? smaps.length : smaps.indexOf("\n", flagsAt + 1);
    const mapping = parseMapping(smaps.slice(start, end === -1 ? smaps.length : end));
    if (mapping !== undefined) mappings.push(mapping);
  }
  return mappings;
}

function parseMapping(text: string): Mapping | undefined {
  const [head = "", ...lines] = text.split("\n");
  const [, start, end, permissions, inode] = header.exec(head) ?? [];
  if (start === undefined || end === undefined || permissions === undefined) return undefined;
  const startAddress = BigInt(`0x${start}`);
  const kibibytes = new Map<string, number>();
  const flags = new Set<string>();
  for (const line of lines) {
    if (line.startsWith("VmFlags: ")) for (const flag of line.slice(9).trim().split(" ")) flags.add(flag);
    const [, name, kibibyteCount] = amount.exec(line) ?? [];
    if (name !== undefined) kibibytes.set(name, Number(kibibyteCount));
  }
  const sizeBytes = Number(BigInt(`0x${end}`) - startAddress);
  return { startAddress, sizeBytes, permissions, inode: Number(inode), kibibytes, flags };
}

/**
 * Whether pages of the mapping can be dropped at any time, since the kernel reads them again from the file: private, never
 * writable, and no page of it was ever written. That is code and constants, and not what the loader has written to and protected since.
 */
export function isReadOnlyFile({ permissions, inode, kibibytes, flags }: Mapping): boolean {
  const none = ["Anonymous", "Private_Dirty", "Shared_Dirty", "Swap"];
  return (
    (permissions === "r-xp" || permissions === "r--p") &&
    inode !== 0 &&
    none.every((name) => kibibytes.get(name) === 0) &&
    ["rd", "mr"].every((flag) => flags.has(flag)) &&
    !["wr", "lo", "ht", "pf", "io"].some((flag) => flags.has(flag))
  );
}
