import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ApparmorInputs, apparmorProfile } from "./apparmor.ts";

const plain: ApparmorInputs = {
  profile: { type: "unset" },
  privileged: false,
  enabled: true,
  defaultProfile: "crio-default",
};

describe("the AppArmor profile", () => {
  const cases: [name: string, changes: Partial<ApparmorInputs>, expected: string | undefined][] = [
    ["is the default when none is named", {}, "crio-default"],
    ["is the default for RuntimeDefault", { profile: { type: "runtime-default" } }, "crio-default"],
    ["is unconfined when asked", { profile: { type: "unconfined" } }, "unconfined"],
    ["is the named one", { profile: { type: "localhost", localhostRef: "mine" } }, "mine"],
    ["may be named in the older form", { profile: { type: "localhost", localhostRef: "localhost/mine" } }, "mine"],
    ["is none for privileged containers", { privileged: true }, undefined],
    ["is none where AppArmor is off", { enabled: false }, undefined],
  ];
  for (const [name, changes, expected] of cases)
    it(name, () => assert.equal(apparmorProfile({ ...plain, ...changes }), expected));

  it("is an error when one is named and AppArmor is off", () => {
    const inputs: ApparmorInputs = { ...plain, enabled: false, profile: { type: "localhost", localhostRef: "mine" } };
    assert.throws(() => apparmorProfile(inputs), { kind: "failed-precondition", message: /mine/ });
  });
});
