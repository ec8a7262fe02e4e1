import type { ErrorKind } from "#errors/domain-error.ts";

/** A limit that the kernel would take at another time: memory or CPUs that are in use. */
const notNow = /device or resource busy|no space left on device|current usage|below current/i;

/** Values that no time makes right, in the words of the kernel (as Go and C spell them), of runc and crun, and of systemd. */
const never =
  /invalid argument|numerical result out of range|out of range|operation not supported|not a directory|invalid cross-device link|(minimum|maximum) allowed|limit should be|without memory limit|must be specified|must be a file name|can't be set|cannot parse|unable to parse|invalid (cpu|unified|value)/i;

/** A file of a cgroup that this kernel does not have: runc tells the whole path, crun the name. */
const noSuchFile = /(\/cgroup\/|(cpu|cpuset|memory|hugetlb|io|pids|misc)\.)[^;]*no such file or directory/i;

/** What it means that a runtime could not change limits, by its last words; undefined when those do not tell. */
export function refusedLimits(words: string): ErrorKind | undefined {
  if (notNow.test(words)) return "failed-precondition";
  return never.test(words) || noSuchFile.test(words) ? "invalid-argument" : undefined;
}
