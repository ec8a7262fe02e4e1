import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { hasHostInterfaces } from "./host-interfaces.ts";

const eth0 = { name: "eth0", sandbox: "/run/netns/x" };

describe("the host's side of an attachment", () => {
  let classDirectory: string;

  before(() => {
    classDirectory = mkdtempSync(path.join(tmpdir(), "class-net-"));
    for (const name of ["br0/bridge", "br0/brif/veth1", "veth1", "veth2"])
      mkdirSync(path.join(classDirectory, name), { recursive: true });
  });
  after(() => rmSync(classDirectory, { recursive: true }));

  const cases: [string, object[], boolean][] = [
    ["is in place when its end is in the bridge", [{ name: "br0" }, { name: "veth1" }, eth0], true],
    ["is not when its end is in no bridge any more", [{ name: "br0" }, { name: "veth2" }, eth0], false],
    ["is not when the bridge is gone", [{ name: "br1" }, { name: "veth1" }, eth0], false],
    ["is in place without a bridge", [{ name: "veth2", sandbox: "" }, eth0], true],
    ["is not when its end is gone", [{ name: "veth3" }, eth0], false],
    ["is in place when there is none", [eth0], true],
  ];
  for (const [name, interfaces, expected] of cases)
    it(name, () => assert.equal(hasHostInterfaces({ interfaces }, classDirectory), expected));
});
