/** A part of the address space, from /proc/self/smaps. */
export interface Mapping {
  readonly startAddress: bigint;
  readonly sizeBytes: number;
  /** As in `r-xp`. */
  readonly permissions: string;
  /** Of the file on its file system; 0 without one. */
  readonly inode: number;
  readonly path: string;
  /** The other lines: kibibytes by name. */
  readonly kibibytes: ReadonlyMap<string, number>;
  /** VmFlags, two letters each; see proc_pid_smaps(5). */
  readonly flags: ReadonlySet<string>;
}

const header = /^([0-9a-f]+)-([0-9a-f]+) ([r-][w-][x-][sp]) [0-9a-f]+ \S+ (\d+) *(.*)$/;
const amount = /^(\w+): +(\d+) kB$/;

/** Reads the text of smaps. Lines that it does not know are left out. */
export function parseMappings(smaps: string): Mapping[] {
  const mappings: Mapping[] = [];
  let kibibytes = new Map<string, number>();
  let flags = new Set<string>();
  for (const line of smaps.split("\n")) {
    const [, start, end, permissions, inode, path] = header.exec(line) ?? [];
    if (start !== undefined && end !== undefined && permissions !== undefined && path !== undefined) {
      kibibytes = new Map();
      flags = new Set();
      const startAddress = BigInt(`0x${start}`);
      const sizeBytes = Number(BigInt(`0x${end}`) - startAddress);
      mappings.push({ startAddress, sizeBytes, permissions, inode: Number(inode), path, kibibytes, flags });
      continue;
    }
    if (line.startsWith("VmFlags: ")) for (const flag of line.slice(9).trim().split(" ")) flags.add(flag);
    const [, name, kibibyteCount] = amount.exec(line) ?? [];
    if (name !== undefined) kibibytes.set(name, Number(kibibyteCount));
  }
  return mappings;
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
