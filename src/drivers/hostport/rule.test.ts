import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostPortMapping } from "./index.ts";
import { rulesOf } from "./rule.ts";

const mapping = (fields: Partial<HostPortMapping>): HostPortMapping => ({
  protocol: "tcp",
  containerPort: 80,
  hostPort: 8080,
  hostIp: "",
  ...fields,
});
const ips = ["10.1.0.2", "10.1.0.3", "fd00::2"];
const summary = (mappings: HostPortMapping[], podIps = ips): string[] =>
  rulesOf("abc", podIps, mappings).map(
    (it) => `${it.family} ${it.hostIp}:${it.hostPort} ${it.podIp}:${it.containerPort}`,
  );

test("a mapping leads to the first pod address of each family", () => {
  assert.deepEqual(summary([mapping({})]), ["4 :8080 10.1.0.2:80", "6 :8080 fd00::2:80"]);
});

test("a host address restricts the mapping to its family, and a wildcard to all addresses of its family", () => {
  assert.deepEqual(summary([mapping({ hostIp: "127.0.0.1" })]), ["4 127.0.0.1:8080 10.1.0.2:80"]);
  assert.deepEqual(summary([mapping({ hostIp: "0.0.0.0" })]), ["4 :8080 10.1.0.2:80"]);
  assert.deepEqual(summary([mapping({ hostIp: "::" })]), ["6 :8080 fd00::2:80"]);
});

test("mappings without a host port are left out and repeated ones are taken once", () => {
  assert.deepEqual(summary([mapping({ hostPort: 0 })]), []);
  assert.equal(summary([mapping({}), mapping({})]).length, 2);
});

test("impossible mappings are refused with the reason", () => {
  assert.throws(
    () => summary([mapping({}), mapping({ containerPort: 81 })]),
    /\*:8080\/tcp: it also leads to container port 80/,
  );
  assert.throws(() => summary([mapping({ hostIp: "::1" })], ["10.1.0.2"]), /no address of that family/);
  assert.throws(() => summary([mapping({ hostIp: "1.2.3.4; flush ruleset" })]), { kind: "invalid-argument" });
  assert.throws(() => summary([mapping({ hostIp: "fe80::1%eth0" })]), { kind: "invalid-argument" });
  assert.throws(() => rulesOf('a" drop', ips, [mapping({})]), { kind: "invalid-argument" });
  assert.throws(() => summary([mapping({ hostPort: 70_000 })]), { kind: "invalid-argument" });
  assert.throws(() => summary([mapping({ containerPort: 1.5 })]), { kind: "invalid-argument" });
});
