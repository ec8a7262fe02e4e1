// passwd(5) and group(5) as they lie in images: untrusted text, where a bad line is skipped as the C library does.

/** One line of /etc/passwd. */
export interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

/** One line of /etc/group. */
export interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

/** The highest id that runtimes take; the kernel's 32 bits are one more. */
export const highestId = 2 ** 31 - 1;

export function parsePasswd(text: string): PasswdEntry[] {
  const entries: PasswdEntry[] = [];
  for (const [name = "", , uid = "", gid = "", , home = ""] of records(text)) {
    const entry = { name, uid: parseId(uid), gid: parseId(gid), home };
    if (name !== "" && entry.uid !== undefined && entry.gid !== undefined)
      entries.push({ name, uid: entry.uid, gid: entry.gid, home });
  }
  return entries;
}

export function parseGroup(text: string): GroupEntry[] {
  const entries: GroupEntry[] = [];
  for (const [name = "", , gidText = "", members = ""] of records(text)) {
    const gid = parseId(gidText);
    if (name !== "" && gid !== undefined)
      entries.push({ name, gid, members: members.split(",").filter((member) => member !== "") });
  }
  return entries;
}

/** A decimal id in range, else `undefined`. */
export function parseId(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= highestId ? id : undefined;
}

function records(text: string): string[][] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":"));
}
