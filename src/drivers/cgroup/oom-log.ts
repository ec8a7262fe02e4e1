/**
 * True when the kernel's log says that the OOM killer ended a process of a group, by the line that it writes before each kill:
 * `oom-kill:constraint=CONSTRAINT_MEMCG,...,oom_memcg=/a,task_memcg=/a/b,task=sh,pid=7,uid=0`. The log has paths from the very root,
 * which may be above the root that this process sees.
 */
export function tellsOomKill(log: string, group: string): boolean {
  return log.split("\n").some((line) => {
    if (!line.includes("oom-kill:")) return false;
    const victim = /,task_memcg=([^,]*),/.exec(line)?.[1] ?? "";
    return `${victim}/`.includes(`${group}/`);
  });
}
