import { readFile, writeFile } from "node:fs/promises";
import { isAlive, type ProcessIdentity } from "#kernel/process-identity.ts";
import { killTree } from "#kernel/process-tree.ts";

// Which process is at work, in a file: for a daemon that starts after this one was killed.

/** Undefined for a process that has ended already. */
export async function noteProcess(file: string, identity: ProcessIdentity | undefined): Promise<void> {
  await writeFile(file, JSON.stringify(identity ?? null));
}

/** Kills the very process that a file names with all its descendants. Nothing happens when it is gone, or the file is not there or not whole. */
export async function killNoted(file: string): Promise<void> {
  const identity = await readNote(file);
  if (identity !== undefined && isAlive(identity)) killTree(identity.pid);
}

async function readNote(file: string): Promise<ProcessIdentity | undefined> {
  try {
    return (JSON.parse(await readFile(file, "utf8")) as ProcessIdentity | null) ?? undefined;
  } catch {
    return undefined;
  }
}
