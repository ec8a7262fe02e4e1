import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tellsOomKill } from "./oom-log.ts";

const log = `<4>[   12.3] dd invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
<6>[   12.4] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/pod.slice,task_memcg=/pod.slice/crio-ab.scope/inner,task=dd,pid=33,uid=0
<3>[   12.4] Memory cgroup out of memory: Killed process 33 (dd) total-vm:23032kB
`;

describe("the kernel's log of OOM kills", () => {
  it("names the group of the process that was killed, which may be below the container's", () => {
    assert.equal(tellsOomKill(log, "/pod.slice/crio-ab.scope"), true);
    assert.equal(tellsOomKill(log, "/crio-ab.scope"), true);
  });

  it("says nothing of other containers, not even of those in the group whose limit was hit", () => {
    assert.equal(tellsOomKill(log, "/pod.slice/crio-a"), false);
    assert.equal(tellsOomKill(log, "/pod.slice/crio-cd.scope"), false);
    assert.equal(tellsOomKill("", "/pod.slice/crio-ab.scope"), false);
  });
});
