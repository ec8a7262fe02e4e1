import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { createHostPorts } from "#drivers/hostport/host-ports.ts";
import type { HostPortMapping, HostPorts } from "#drivers/hostport/index.ts";
import { run, spawn } from "#kernel/spawn.ts";
import { findProgram } from "../support/requirements.ts";

// Three network namespaces stand for a host, a pod on its bridge, and a neighbour of the host; the machine's own packet
// filter is never touched.
const prefix = `hp${process.pid % 100_000}`;
const hostAddress = { 4: "192.0.2.1", 6: "2001:db8::1" };
const podIps = ["10.252.9.2", "fd00:252:9::2"];

const programs = {
  nftables: ["nft", "conntrack"],
  iptables: ["iptables-save", "iptables-restore", "ip6tables-save", "ip6tables-restore", "conntrack"],
};

// The pod's server answers every connection and datagram with the address it sees it come from.
const server = `
const answer = (it) => it.replace("::ffff:", "");
require("net").createServer((s) => { s.on("error", () => {}); s.end(answer(s.remoteAddress)); }).listen(80, "::");
const udp = require("dgram").createSocket("udp6");
udp.on("message", (m, from) => udp.send(answer(from.address), from.port, from.address)).bind(53);
`;

const client = `
const [protocol, address, port] = process.argv.slice(1);
const done = (text) => { console.log(text); process.exit(0); };
setTimeout(() => done("no answer"), 3000);
if (protocol === "tcp") {
  const s = require("net").connect(+port, address);
  s.on("data", (d) => done(String(d))).on("error", (e) => done(e.code));
} else {
  const s = require("dgram").createSocket(address.includes(":") ? "udp6" : "udp4");
  s.on("message", (m) => done(String(m))).on("error", (e) => done(e.code)).connect(+port, address, () => s.send("hi"));
}
`;

type Place = "host" | "pod" | "outside";

interface Network extends AsyncDisposable {
  hostPorts: HostPorts;
  /** Host ports as the daemon has them after a restart. */
  restarted(): HostPorts;
  /** Those of another daemon on the same host. */
  another(): HostPorts;
  /** What a connection from `place` is answered: the address the pod sees, or why there is no answer. */
  ask(place: Place, protocol: "tcp" | "udp", address: string, port: number): Promise<string>;
  inHost(...argv: string[]): Promise<string>;
}

async function command(...argv: string[]): Promise<string> {
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
  const result = await run(["/usr/bin/env", ...argv], { env, timeoutMs: 30_000 });
  if (result.exitCode !== 0) throw new Error(`${argv.join(" ")}: ${result.stderr.toString()}`);
  return result.stdout.toString().trim();
}

async function network(filter: keyof typeof programs): Promise<Network> {
  await using undo = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(os.tmpdir(), "berth-hostport-"));
  undo.defer(() => rm(directory, { recursive: true, force: true }));
  await mkdir(path.join(directory, "bin"));
  for (const program of programs[filter])
    await symlink(findProgram(program) ?? "", path.join(directory, "bin", program));
  for (const place of ["host", "pod", "outside"]) {
    await command("ip", "netns", "add", `${prefix}-${place}`);
    undo.defer(() => command("ip", "netns", "delete", `${prefix}-${place}`).then(() => {}));
  }
  const within = (place: Place, ...argv: string[]): Promise<string> =>
    command("ip", "netns", "exec", `${prefix}-${place}`, ...argv);
  await connect(within);
  const pod = await spawn(["/usr/sbin/ip", "netns", "exec", `${prefix}-pod`, process.execPath, "-e", server]);
  undo.defer(() => {
    pod.kill("SIGKILL");
    return pod.exited.then(() => {});
  });
  const ask: Network["ask"] = (place, protocol, address, port) =>
    within(place, process.execPath, "-e", client, protocol, address, String(port));
  while ((await ask("pod", "tcp", "127.0.0.1", 80)) === "ECONNREFUSED");
  const create = (owner: string): HostPorts =>
    createHostPorts({
      owner,
      programDirs: [path.join(directory, "bin")],
      run: (argv, options) => run(["/usr/sbin/ip", "netns", "exec", `${prefix}-host`, ...argv], options),
      enableRouteLocalnet: () => setSysctl(within, "host", "ipv4/conf/all/route_localnet"),
    });
  const stack = undo.move();
  return {
    hostPorts: create("aaaaaaaa"),
    restarted: () => create("aaaaaaaa"),
    another: () => create("bbbbbbbb"),
    ask,
    inHost: (...argv) => within("host", ...argv),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

type Within = (place: Place, ...argv: string[]) => Promise<string>;

async function setSysctl(within: Within, place: Place, name: string): Promise<void> {
  await within(place, "sh", "-c", `echo 1 > /proc/sys/net/${name}`);
}

async function connect(within: Within): Promise<void> {
  for (const place of ["host", "pod", "outside"] as const) await within(place, "ip", "link", "set", "lo", "up");
  for (const name of ["ipv4/ip_forward", "ipv6/conf/all/forwarding"]) await setSysctl(within, "host", name);
  const toPod = ["ip", "link", "add", "pod0", "type", "veth", "peer", "name", "eth0", "netns", `${prefix}-pod`];
  const toOutside = ["ip", "link", "add", "out0", "type", "veth", "peer", "name", "eth0", "netns", `${prefix}-outside`];
  for (const argv of [toPod, toOutside, ["ip", "link", "add", "br0", "type", "bridge"]]) await within("host", ...argv);
  await within("host", "ip", "link", "set", "pod0", "master", "br0", "up");
  // Where the kernel shows bridged packets to the packet filter, an answer to oneself goes out by the port it came in by.
  await within("host", "ip", "link", "set", "pod0", "type", "bridge_slave", "hairpin", "on");
  const setUp = async (place: Place, link: string, ...addresses: string[]): Promise<void> => {
    for (const address of addresses)
      await within(place, "ip", "address", "add", address, "dev", link, ...(address.includes(":") ? ["nodad"] : []));
    await within(place, "ip", "link", "set", link, "up");
  };
  await setUp("host", "br0", "10.252.9.1/24", "fd00:252:9::1/64");
  await setUp("host", "out0", "192.0.2.1/24", "2001:db8::1/64");
  await setUp("pod", "eth0", "10.252.9.2/24", "fd00:252:9::2/64");
  await setUp("outside", "eth0", "192.0.2.2/24", "2001:db8::2/64");
  await within("pod", "ip", "route", "add", "default", "via", "10.252.9.1");
  await within("pod", "ip", "-6", "route", "add", "default", "via", "fd00:252:9::1");
}

function mapping(fields: Partial<HostPortMapping> = {}): HostPortMapping {
  return { protocol: "tcp", containerPort: 80, hostPort: 8080, hostIp: "", ...fields };
}

for (const filter of ["nftables", "iptables"] as const) {
  const missing = programs[filter].filter((program) => findProgram(program) === undefined);
  const skip =
    process.getuid?.() !== 0 ? "needs root" : missing.length > 0 ? `not installed: ${missing.join(", ")}` : false;

  test(
    `${filter}: a host port is reachable from outside, from the host and from the pod itself`,
    { skip },
    async () => {
      await using it = await network(filter);
      assert.equal(await it.ask("outside", "tcp", hostAddress[4], 8080), "ECONNREFUSED");
      await it.hostPorts.add("abc", podIps, [
        mapping(),
        mapping({ protocol: "udp", containerPort: 53, hostPort: 5353 }),
      ]);
      assert.equal(await it.ask("outside", "tcp", hostAddress[4], 8080), "192.0.2.2");
      assert.equal(await it.ask("outside", "tcp", hostAddress[6], 8080), "2001:db8::2");
      assert.equal(await it.ask("outside", "udp", hostAddress[4], 5353), "192.0.2.2");
      assert.equal(await it.ask("host", "tcp", "127.0.0.1", 8080), "10.252.9.1");
      assert.equal(await it.ask("host", "udp", "127.0.0.1", 5353), "10.252.9.1");
      assert.equal(await it.ask("host", "tcp", hostAddress[4], 8080), hostAddress[4]);
      assert.equal(await it.ask("pod", "tcp", hostAddress[4], 8080), "10.252.9.1");
      assert.equal(await it.ask("pod", "tcp", hostAddress[6], 8080), "fd00:252:9::1");
    },
  );

  test(`${filter}: a mapping with a host address answers on that address only`, { skip }, async () => {
    await using it = await network(filter);
    await it.hostPorts.add("abc", podIps, [
      mapping({ hostIp: hostAddress[4] }),
      mapping({ hostIp: "::", hostPort: 8081 }),
    ]);
    assert.equal(await it.ask("outside", "tcp", hostAddress[4], 8080), "192.0.2.2");
    assert.equal(await it.ask("outside", "tcp", hostAddress[6], 8080), "ECONNREFUSED");
    assert.equal(await it.ask("host", "tcp", "127.0.0.1", 8080), "ECONNREFUSED");
    assert.equal(await it.ask("outside", "tcp", hostAddress[6], 8081), "2001:db8::2");
    assert.equal(await it.ask("outside", "tcp", hostAddress[4], 8081), "ECONNREFUSED");
  });

  test(
    `${filter}: removal and sweeping close ports, also after a restart, and leave no rule of the pod`,
    { skip },
    async () => {
      await using it = await network(filter);
      for (const [index, id] of ["one", "two", "three", "four"].entries())
        await it.hostPorts.add(id, podIps, [
          mapping({ hostPort: 8080 + index }),
          mapping({ hostPort: 9080 + index, hostIp: "127.0.0.1" }),
        ]);
      await it.hostPorts.remove("one");
      assert.equal(await it.ask("outside", "tcp", hostAddress[4], 8080), "ECONNREFUSED");
      const later = it.restarted();
      await assert.rejects(later.add("new", podIps, [mapping({ hostPort: 8081 })]), /in use by pod sandbox two/);
      await later.remove("two");
      await later.sweep((id) => id === "three");
      assert.equal(await it.ask("outside", "tcp", hostAddress[4], 8082), "192.0.2.2");
      await later.remove("three");
      await later.remove("three");
      const rules = await it.inHost("nft", "list", "ruleset");
      assert.doesNotMatch(rules, /one|two|three|four|80\d\d|10\.252\.9\.2/);
    },
  );

  test(`${filter}: two daemons on one host leave each other's ports alone`, { skip }, async () => {
    await using it = await network(filter);
    const other = it.another();
    // Both have looked at a host without any rules.
    await Promise.all([it.hostPorts.sweep(() => false), other.sweep(() => false)]);
    await it.hostPorts.add("abc", podIps, [mapping()]);
    await other.add("def", podIps, [mapping({ hostPort: 8081 })]);
    assert.equal(await it.ask("outside", "tcp", hostAddress[4], 8080), "192.0.2.2");
    await it.restarted().sweep(() => false);
    assert.equal(await it.ask("outside", "tcp", hostAddress[4], 8080), "ECONNREFUSED");
    assert.equal(await it.ask("outside", "tcp", hostAddress[4], 8081), "192.0.2.2");
    const third = it.restarted();
    await assert.rejects(third.add("abc", podIps, [mapping({ hostPort: 8081 })]), /def of another berth \(bbbbbbbb\)/);
    await it.another().remove("def");
    await third.add("abc", podIps, [mapping({ hostPort: 8081 })]);
    assert.equal(await it.ask("outside", "tcp", hostAddress[4], 8081), "192.0.2.2");
  });

  test(`${filter}: ports come back when somebody flushed the packet filter`, { skip }, async () => {
    await using it = await network(filter);
    await it.hostPorts.add("abc", podIps, [mapping()]);
    await it.inHost("nft", "flush", "ruleset");
    await it.hostPorts.add("def", podIps, [mapping({ hostPort: 8081 })]);
    assert.equal(await it.ask("outside", "tcp", hostAddress[4], 8081), "192.0.2.2");
    assert.equal(await it.ask("outside", "tcp", hostAddress[4], 8080), "192.0.2.2");
    await it.hostPorts.remove("abc");
    assert.equal(await it.ask("outside", "tcp", hostAddress[4], 8080), "ECONNREFUSED");
  });
}
