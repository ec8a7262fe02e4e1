import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { RunResult } from "#kernel/spawn.ts";
import { createHostPorts } from "./host-ports.ts";
import type { HostPorts } from "./index.ts";

const web = { protocol: "tcp", containerPort: 80, hostPort: 8080, hostIp: "" } as const;
const dns = { protocol: "udp", containerPort: 53, hostPort: 53, hostIp: "127.0.0.1" } as const;

/** A machine whose programs only record what they are asked; `answer` makes one answer otherwise. */
class FakeMachine implements AsyncDisposable {
  readonly asked: { program: string; argv: readonly string[]; input: string }[] = [];
  readonly warnings: string[] = [];
  answer: (program: string, input: string) => { exitCode?: number; stdout?: string; stderr?: string } | undefined =
    () => undefined;
  readonly hostPorts: HostPorts;
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
    const warn = (message: string): number => this.warnings.push(message);
    const logger = { trace() {}, debug() {}, info() {}, warn, error() {}, child: () => logger };
    this.hostPorts = createHostPorts({
      owner: "aa",
      programDirs: [directory],
      logger,
      enableRouteLocalnet: async () => {},
      run: async (argv, options) => {
        const program = path.basename(argv[0] ?? "");
        const input = String(options?.input ?? "");
        this.asked.push({ program, argv: argv.slice(1), input });
        return toResult(this.answer(program, input));
      },
    });
  }

  static async with(...programs: string[]): Promise<FakeMachine> {
    const directory = await mkdtemp(path.join(os.tmpdir(), "berth-hostport-"));
    for (const program of programs) {
      await writeFile(path.join(directory, program), "");
      await chmod(path.join(directory, program), 0o755);
    }
    return new FakeMachine(directory);
  }

  /** What was fed to `program`, one text per run. */
  inputs(program: string): string[] {
    return this.asked.filter((it) => it.program === program && it.input !== "").map((it) => it.input);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}

function toResult({ exitCode = 0, stdout = "", stderr = "" } = {}): RunResult {
  const isList = exitCode === 0 && stdout === "";
  const text = isList ? '{"nftables":[]}' : stdout;
  return { exitCode, signal: undefined, stdout: Buffer.from(text), stderr: Buffer.from(stderr), timedOut: false };
}

const lastLines = (text: string | undefined, count: number): string[] => (text ?? "").trim().split("\n").slice(-count);

test("with nft, opening and closing ports is one process each, and the table is made with the first", async () => {
  await using machine = await FakeMachine.with("nft", "conntrack");
  await machine.hostPorts.add("abc", ["10.1.0.2"], [web, { ...dns, protocol: "tcp" }]);
  await machine.hostPorts.remove("abc");
  const [opening, closing, ...more] = machine.inputs("nft");
  assert.deepEqual(more, []);
  assert.match(opening ?? "", /add table inet berth-hostports/);
  const hairpin = (port: number): string =>
    `element inet berth-hostports hairpin4 { 10.1.0.2 . 10.1.0.2 . tcp . ${port} }`;
  assert.deepEqual(lastLines(opening, 4), [
    'add element inet berth-hostports any4 { tcp . 8080 comment "aa:abc" : 10.1.0.2 . 80 }',
    `add ${hairpin(80)}`,
    'add element inet berth-hostports own4 { 127.0.0.1 . tcp . 53 comment "aa:abc" : 10.1.0.2 . 53 }',
    `add ${hairpin(53)}`,
  ]);
  assert.deepEqual(lastLines(closing, 9), [
    "delete element inet berth-hostports any4 { tcp . 8080 }",
    `add ${hairpin(80)}`,
    `delete ${hairpin(80)}`,
    "delete element inet berth-hostports own4 { 127.0.0.1 . tcp . 53 }",
    `add ${hairpin(53)}`,
    `delete ${hairpin(53)}`,
  ]);
});

test("a port of another pod is refused by name, and free again once that pod is removed", async () => {
  await using machine = await FakeMachine.with("nft");
  await machine.hostPorts.add("abc", ["10.1.0.2"], [web]);
  await assert.rejects(machine.hostPorts.add("def", ["10.1.0.3"], [web]), {
    kind: "already-exists",
    message: /\*:8080\/tcp is in use by pod sandbox abc/,
  });
  await machine.hostPorts.remove("abc");
  await machine.hostPorts.add("def", ["10.1.0.3"], [web]);
});

test("a failed change leaves the port free", async () => {
  await using machine = await FakeMachine.with("nft");
  machine.answer = (_program, input) => (input === "" ? undefined : { exitCode: 1, stderr: "Operation not permitted" });
  await assert.rejects(machine.hostPorts.add("abc", ["10.1.0.2"], [web]), /Operation not permitted/);
  machine.answer = () => undefined;
  await machine.hostPorts.add("def", ["10.1.0.3"], [web]);
});

test("when others flushed the table, the change is made again on what is there, and other pods get their ports back", async () => {
  await using machine = await FakeMachine.with("nft");
  await machine.hostPorts.add("abc", ["10.1.0.2"], [web]);
  await machine.hostPorts.add("def", ["10.1.0.3"], [{ ...web, hostPort: 8081 }]);
  let isFlushed = true;
  machine.answer = (_program, input) => {
    if (!isFlushed || input === "") return undefined;
    isFlushed = false;
    return { exitCode: 1, stderr: "Error: Could not process rule: No such file or directory" };
  };
  await machine.hostPorts.remove("abc");
  const repair = machine.inputs("nft").at(-1) ?? "";
  assert.doesNotMatch(repair, /delete element/);
  assert.match(repair, /add element inet berth-hostports any4 \{ tcp \. 8081 comment "aa:def"/);
});

test("rules from before a restart are read from the kernel, swept, and removed", async () => {
  await using machine = await FakeMachine.with("nft");
  const element = (port: number, comment: string): unknown => [
    { elem: { val: { concat: ["tcp", port] }, comment } },
    { concat: ["10.1.0.2", 80] },
  ];
  const elem = [element(8080, "old"), element(8081, "stale")];
  machine.answer = (_program, input) =>
    input === "" ? { stdout: JSON.stringify({ nftables: [{ map: { name: "any4", elem } }] }) } : undefined;
  await assert.rejects(machine.hostPorts.add("new", ["10.1.0.3"], [web]), /in use by pod sandbox old/);
  await machine.hostPorts.sweep((id) => id === "old");
  const [sweeping, ...more] = machine.inputs("nft");
  assert.deepEqual(more, []);
  assert.match(sweeping ?? "", /delete element inet berth-hostports any4 \{ tcp \. 8081 \}/);
  assert.doesNotMatch(sweeping ?? "", /8080/);
});

test("what another daemon of the machine has is refused by name while it has it, and never swept", async () => {
  await using machine = await FakeMachine.with("nft");
  const theirs = [{ elem: { val: { concat: ["tcp", 8080] }, comment: "bb:foreign" } }, { concat: ["10.9.0.2", 80] }];
  let elem: unknown[] = [theirs];
  machine.answer = (_program, input) =>
    input === "" ? { stdout: JSON.stringify({ nftables: [{ map: { name: "any4", elem } }] }) } : undefined;
  await machine.hostPorts.sweep(() => false);
  const adding = machine.hostPorts.add("abc", ["10.1.0.2"], [web]);
  await assert.rejects(adding, {
    kind: "already-exists",
    message: /\*:8080\/tcp is in use by pod sandbox foreign of another berth \(bb\)/,
  });
  assert.deepEqual(machine.inputs("nft"), []);
  elem = [];
  await machine.hostPorts.add("abc", ["10.1.0.2"], [web]);
  assert.equal(machine.inputs("nft").length, 1);
});

test("a port that another daemon took meanwhile is refused by name", async () => {
  await using machine = await FakeMachine.with("nft");
  await machine.hostPorts.sweep(() => false);
  const theirs = [{ elem: { val: { concat: ["tcp", 8080] }, comment: "bb:foreign" } }, { concat: ["10.9.0.2", 80] }];
  machine.answer = (_program, input) =>
    input === ""
      ? { stdout: JSON.stringify({ nftables: [{ map: { name: "any4", elem: [theirs] } }] }) }
      : { exitCode: 1, stderr: "Error: Could not process rule: File exists" };
  await assert.rejects(machine.hostPorts.add("abc", ["10.1.0.2"], [web]), /in use by pod sandbox foreign of another/);
});

test("UDP flows to new ports are forgotten, and a missing conntrack is only a warning", async () => {
  await using machine = await FakeMachine.with("nft", "conntrack");
  machine.answer = (program) =>
    program === "conntrack"
      ? { exitCode: 1, stderr: "conntrack v1.4.7: 0 flow entries have been deleted." }
      : undefined;
  await machine.hostPorts.add("abc", ["10.1.0.2", "fd00::2"], [web, { ...dns, hostIp: "" }]);
  assert.deepEqual(
    machine.asked.filter((it) => it.program === "conntrack").map((it) => it.argv.join(" ")),
    ["-D -p udp --orig-port-dst 53", "-D -p udp --orig-port-dst 53 -f ipv6"],
  );
  assert.deepEqual(machine.warnings, []);
  await using bare = await FakeMachine.with("nft");
  await bare.hostPorts.add("abc", ["10.1.0.2"], [dns]);
  assert.deepEqual(bare.warnings, ["UDP flows to new host ports may go astray for a while"]);
});

test("without nft, iptables is used; without both, opening fails and closing has nothing to do", async () => {
  await using machine = await FakeMachine.with("iptables-restore");
  machine.answer = (program) => (program.endsWith("-save") ? { stdout: "*nat\nCOMMIT\n" } : undefined);
  await machine.hostPorts.add("abc", ["10.1.0.2"], [web]);
  const [text] = machine.inputs("iptables-restore");
  assert.match(
    text ?? "",
    /-A BERTH-HOSTPORTS -p tcp -m tcp --dport 8080 .*"berth:aa:abc" -j DNAT --to-destination 10\.1\.0\.2:80/,
  );
  await using bare = await FakeMachine.with();
  await assert.rejects(bare.hostPorts.add("abc", ["10.1.0.2"], [web]), { kind: "failed-precondition" });
  await bare.hostPorts.remove("abc");
  await bare.hostPorts.sweep(() => false);
});

test("a pod without mappings starts nothing beyond looking at what is there", async () => {
  await using machine = await FakeMachine.with("nft");
  await machine.hostPorts.add("abc", ["10.1.0.2"], [{ ...web, hostPort: 0 }]);
  assert.deepEqual(machine.inputs("nft"), []);
});
