import { check, libc } from "#kernel/libc.ts";

const dup3Call = libc.func("int dup3(int from, int to, int flags)") as (
  from: number,
  to: number,
  flags: number,
) => number;

const closeOnExec = 0o2000000;

/** Makes the open descriptor `to` stand for what `from` stands for; both are to be closed (dup3(2)). @throws SystemError */
export function replaceDescriptor(to: number, from: number): void {
  check(dup3Call(from, to, closeOnExec), "dup3");
}
