import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { allCapabilities } from "#spec/capabilities.ts";
import { buildCapabilities, type CapabilityInputs } from "./capabilities.ts";

const plain: CapabilityInputs = {
  request: { add: [], drop: [], addAmbient: [] },
  privileged: false,
  defaults: ["CHOWN", "KILL", "SETUID"],
  addInheritable: false,
  bounding: allCapabilities,
};

function wanted(add: string[], drop: string[], changes: Partial<CapabilityInputs> = {}): string[] {
  const { capabilities } = buildCapabilities({ ...plain, ...changes, request: { add, drop, addAmbient: [] } });
  assert.deepEqual(capabilities.effective, capabilities.bounding);
  assert.deepEqual(capabilities.permitted, capabilities.bounding);
  return capabilities.bounding.map((name) => name.replace("CAP_", ""));
}

describe("capabilities", () => {
  const everyName = allCapabilities.map((name) => name.replace("CAP_", ""));
  const cases: [name: string, add: string[], drop: string[], expected: string[]][] = [
    ["are the configured ones by default", [], [], ["CHOWN", "KILL", "SETUID"]],
    [
      "can be added, with or without the prefix and in any case",
      ["cap_net_raw", "SYS_TIME"],
      [],
      ["CHOWN", "KILL", "SETUID", "NET_RAW", "SYS_TIME"],
    ],
    ["can be dropped", [], ["KILL"], ["CHOWN", "SETUID"]],
    ["are dropped when both added and dropped", ["NET_RAW"], ["NET_RAW", "KILL"], ["CHOWN", "SETUID"]],
    ["can all be dropped", [], ["ALL"], []],
    ["can all be dropped but those added", ["CHOWN"], ["ALL"], ["CHOWN"]],
    ["can all be added", ["ALL"], [], everyName],
    ["can all be added but those dropped", ["all"], ["SYS_ADMIN"], everyName.filter((name) => name !== "SYS_ADMIN")],
  ];
  for (const [name, add, drop, expected] of cases) it(name, () => assert.deepEqual(wanted(add, drop), expected));

  it("are all of them for privileged containers, whatever is dropped", () => {
    assert.deepEqual(wanted([], ["ALL"], { privileged: true }), everyName);
  });

  it("leave out and report what the daemon's bounding set does not have", () => {
    const bounding = ["CAP_CHOWN", "CAP_KILL"];
    const result = buildCapabilities({ ...plain, bounding });
    assert.deepEqual(result.capabilities.bounding, bounding);
    assert.deepEqual(result.leftOut, ["CAP_SETUID"]);
  });

  it("are inheritable only when configured", () => {
    assert.deepEqual(buildCapabilities(plain).capabilities.inheritable, []);
    assert.equal(buildCapabilities({ ...plain, addInheritable: true }).capabilities.inheritable.length, 3);
  });

  it("that are ambient are in every set, as the kernel demands", () => {
    const request = { add: [], drop: ["ALL"], addAmbient: ["NET_BIND_SERVICE"] };
    const { capabilities } = buildCapabilities({ ...plain, request });
    for (const set of Object.values(capabilities)) assert.deepEqual(set, ["CAP_NET_BIND_SERVICE"]);
  });

  for (const request of [
    { add: ["NET_MAGIC"], drop: [], addAmbient: [] },
    { add: [], drop: ["NET_MAGIC"], addAmbient: [] },
    { add: [], drop: [], addAmbient: ["NET_MAGIC"] },
  ])
    it(`refuses an unknown name in ${JSON.stringify(request)}`, () => {
      assert.throws(() => buildCapabilities({ ...plain, request }), {
        kind: "invalid-argument",
        message: /"NET_MAGIC"/,
      });
    });
});
