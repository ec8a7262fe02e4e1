import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rlimitUnlimited } from "#spec/oci-runtime-json.ts";
import { buildRlimits, parseUlimit } from "./rlimits.ts";

describe("a configured ulimit", () => {
  it("has a soft and a hard limit, or one for both, or none", () => {
    assert.deepEqual(parseUlimit("nofile=1024:2048"), { type: "RLIMIT_NOFILE", soft: 1024, hard: 2048 });
    assert.deepEqual(parseUlimit("NPROC=5"), { type: "RLIMIT_NPROC", soft: 5, hard: 5 });
    assert.deepEqual(parseUlimit("memlock=-1:-1").hard, rlimitUnlimited);
  });

  for (const text of ["", "nofile", "files=1:2", "nofile=2:1", "nofile=-1:5", "nofile=a:b"])
    it(`is refused when it is ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseUlimit(text), { kind: "invalid-argument" });
    });
});

describe("rlimits", () => {
  const rlimits = { RLIMIT_NOFILE: { soft: 1024, hard: 4096 } };

  it("are as configured when the daemon may raise them", () => {
    const result = buildRlimits(["nofile=8192:16384"], { rlimits, canRaise: true });
    assert.deepEqual(result, { rlimits: [{ type: "RLIMIT_NOFILE", soft: 8192, hard: 16_384 }], warnings: [] });
  });

  it("end at the daemon's own hard limit when it may not, with a warning", () => {
    const result = buildRlimits(["nofile=8192:16384", "core=0"], { rlimits, canRaise: false });
    assert.deepEqual(result.rlimits, [
      { type: "RLIMIT_NOFILE", soft: 4096, hard: 4096 },
      { type: "RLIMIT_CORE", soft: 0, hard: 0 },
    ]);
    assert.equal(result.warnings.length, 1);
  });

  it("take the last of several entries for the same limit", () => {
    const result = buildRlimits(["nofile=1:1", "nofile=2:2"], { rlimits, canRaise: false });
    assert.deepEqual(result.rlimits, [{ type: "RLIMIT_NOFILE", soft: 2, hard: 2 }]);
  });
});
