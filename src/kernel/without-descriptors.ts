import { check, libc } from "#kernel/libc.ts";

const getLimit = libc.func("int getrlimit(int resource, void *limit)") as (resource: number, limit: Buffer) => number;
const setLimit = libc.func("int setrlimit(int resource, void *limit)") as (resource: number, limit: Buffer) => number;
const descriptors = 7;

/** For tests: calls `work` while this process gets no further descriptor (EMFILE). */
export function withoutDescriptors<T>(work: () => T): T {
  const before = Buffer.alloc(16);
  check(getLimit(descriptors, before), "getrlimit");
  const none = Buffer.from(before);
  none.writeBigUInt64LE(0n);
  check(setLimit(descriptors, none), "setrlimit");
  try {
    return work();
  } finally {
    check(setLimit(descriptors, before), "setrlimit");
  }
}
