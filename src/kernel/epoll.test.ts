import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { describe, it } from "node:test";
import { isReadable, openPidfd } from "./epoll.ts";
import { withoutDescriptors } from "./without-descriptors.ts";

describe("the descriptor of a process", () => {
  it("is not readable as long as the process lives", () => {
    const fd = openPidfd(process.pid);
    assert.ok(fd !== undefined);
    assert.equal(isReadable(fd), false);
    closeSync(fd);
  });

  it("is none where there is no such process", () => {
    assert.equal(openPidfd(2 ** 22), undefined);
  });

  it("is none where only the session of the process is left", async () => {
    const leader = spawn("sh", ["-c", "sleep 1000 >/dev/null & echo $!"], { detached: true });
    const [rest] = (await once(leader.stdout, "data")) as [Buffer];
    try {
      await once(leader, "exit");
      assert.equal(openPidfd(leader.pid ?? 0), undefined);
    } finally {
      process.kill(Number(rest), "SIGKILL");
    }
  });

  it("is refused where there are no descriptors, which says nothing of the process", () => {
    withoutDescriptors(() => {
      assert.throws(() => openSync("/dev/null", "r"), { code: "EMFILE" });
      assert.throws(() => openPidfd(process.pid), { code: "EMFILE", syscall: "pidfd_open" });
      assert.equal(openPidfd(2 ** 22), undefined);
    });
  });
});
