import { closeSync, openSync } from "node:fs";
import { check, libc } from "#kernel/libc.ts";

const getLimit = libc.func("int getrlimit(int resource, void *limit)") as (resource: number, limit: Buffer) => number;
const setLimit = libc.func("int setrlimit(int resource, void *limit)") as (resource: number, limit: Buffer) => number;
const descriptors = 7;

/** For tests: calls `work` while this process gets no further descriptor (EMFILE), or only so many. */
export function withoutDescriptors<T>(work: () => T, butFor = 0): T {
  const before = Buffer.alloc(16);
  check(getLimit(descriptors, before), "getrlimit");
  const none = Buffer.from(before);
  none.writeBigUInt64LE(BigInt(endOfFree(butFor)));
  check(setLimit(descriptors, none), "setrlimit");
  try {
    return work();
  } finally {
    check(setLimit(descriptors, before), "setrlimit");
  }
}

/** The number behind those that the next `count` descriptors get. */
function endOfFree(count: number): number {
  const next = Array.from({ length: count }, () => openSync("/dev/null", "r"));
  for (const fd of next) closeSync(fd);
  return Math.max(-1, ...next) + 1;
}
