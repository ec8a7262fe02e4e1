import assert from "node:assert/strict";
import { test } from "node:test";
import { convertResult, readResult } from "./result.ts";

const current = { cniVersion: "1.0.0", ips: [{ address: "10.1.0.2/24" }, { address: "fd00::2/64" }], dns: {} };

test("0.3 and 0.4 results carry the family of each address, later ones do not", () => {
  const old = convertResult(current, "0.4.0");
  assert.deepEqual(old, {
    cniVersion: "0.4.0",
    ips: [
      { version: "4", address: "10.1.0.2/24" },
      { version: "6", address: "fd00::2/64" },
    ],
    dns: {},
  });
  assert.deepEqual(convertResult(old, "1.0.0"), current);
});

test("a result of the list's own version is passed on untouched", () => {
  assert.equal(convertResult(current, "1.0.0"), current);
});

test("results from before 0.3 convert in both directions", () => {
  const legacy = {
    cniVersion: "0.2.0",
    ip4: { ip: "10.1.0.2/24", gateway: "10.1.0.1", routes: [{ dst: "0.0.0.0/0" }] },
  };
  const converted = convertResult(legacy, "1.0.0");
  assert.deepEqual(converted["ips"], [{ address: "10.1.0.2/24", gateway: "10.1.0.1" }]);
  assert.deepEqual(converted["routes"], [{ dst: "0.0.0.0/0" }]);
  assert.deepEqual(convertResult(converted, "0.2.0")["ip4"], { ip: "10.1.0.2/24", gateway: "10.1.0.1" });
  assert.deepEqual(readResult(legacy, "eth0").ips, ["10.1.0.2"]);
});

test("addresses of interfaces on the host's side are not the pod's", () => {
  const interfaces = [{ name: "cni0" }, { name: "eth0", sandbox: "/netns", mac: "02:00:00:00:00:02" }];
  const ips = [
    { address: "10.1.0.1/24", interface: 0 },
    { address: "10.1.0.2/24", interface: 1 },
    { address: "fd00::2/64" },
    { address: "10.1.0.2/32", interface: 1 },
  ];
  const result = readResult({ cniVersion: "1.0.0", interfaces, ips }, "eth0");
  assert.deepEqual(result.ips, ["10.1.0.2", "fd00::2"]);
  assert.equal(result.mac, "02:00:00:00:00:02");
});

test("an address that is none is an error", () => {
  for (const address of ["", "10.1.0.300/24", "eth0", 7, "10.0.0.1/24/8"])
    assert.throws(() => readResult({ cniVersion: "1.0.0", ips: [{ address }] }, "eth0"), /invalid address/);
});
