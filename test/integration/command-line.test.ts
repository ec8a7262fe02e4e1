import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";

const home = path.resolve(import.meta.dirname, "../..");
const launcher = path.join(home, "bin/berth");

function berth(args: readonly string[], program = launcher, environment: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    env: { PATH: process.env["PATH"], ...environment },
  });
  return { status, stdout, stderr };
}

describe("bin/berth", () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "berth-cli-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("prints its version, by command and by flag, and as JSON", () => {
    const { stdout, status, stderr } = berth(["version"]);
    assert.deepEqual([stderr, status], ["", 0]);
    assert.match(stdout, /^berth version \d+\.\d+\.\d+\n$/);
    assert.equal(berth(["--version"]).stdout, stdout);
    const facts = JSON.parse(berth(["version", "-j"]).stdout) as Record<string, unknown>;
    assert.equal(`berth version ${String(facts["version"])}\n`, stdout);
    assert.match(String(facts["nodeVersion"]), /^v26\./);
  });

  it("works through relative and absolute symbolic links and from a directory with spaces", () => {
    mkdirSync(path.join(folder, "a b"));
    symlinkSync(launcher, path.join(folder, "a b/absolute"));
    symlinkSync("../a b/absolute", path.join(folder, "a b/relative"));
    assert.equal(berth(["version"], path.join(folder, "a b/relative")).status, 0);
  });

  it("says what to do when Node.js is not installed beside it", () => {
    mkdirSync(path.join(folder, "bare/bin"), { recursive: true });
    cpSync(launcher, path.join(folder, "bare/bin/berth"));
    const { status, stderr } = berth(["version"], path.join(folder, "bare/bin/berth"));
    assert.equal(status, 1);
    assert.match(stderr, /^berth: .*\/bare\/node_modules\/\S+ is missing: run "npm ci" in .*\/bare\n$/);
  });

  it("prints a configuration that it reads back as the same", () => {
    const options = ["--config-dir", "", "--log-level", "debug", "--runtimes", "x:/bin/x"];
    const first = berth(["--config", "", ...options, "config"]);
    assert.match(first.stdout, /^log_level = "debug"$/m);
    const file = path.join(folder, "printed.conf");
    writeFileSync(file, first.stdout);
    const second = berth(["config", "--config", file, "--config-dir", ""]);
    assert.equal(second.stdout, first.stdout);
    assert.equal(second.stderr, "");
  });

  it("prints the defaults whatever is set with config --default", () => {
    const { stdout } = berth(["config", "--default"], launcher, { CONTAINER_LOG_LEVEL: "debug" });
    assert.match(stdout, /^# log_level = "info"$/m);
  });

  it("does not start with a configuration that is wrong, and says where, with status 2", () => {
    const file = path.join(folder, "wrong.conf");
    writeFileSync(file, "[crio.api]\nlisten = 3\n");
    const { status, stderr } = berth(["serve", "-c", file, "-d", ""]);
    assert.equal(status, 2);
    assert.match(stderr, /^berth: \S+wrong\.conf:2:1: crio\.api\.listen must be a string, found the integer 3\n$/);
  });

  it("refuses what it does not know, with status 2 and a hint", () => {
    const flag = berth(["--log-lvel", "x"]);
    assert.deepEqual([flag.status, flag.stderr], [2, "berth: unknown flag --log-lvel; did you mean --log-level?\n"]);
    const command = berth(["srve"]);
    assert.deepEqual([command.status, command.stderr], [2, 'berth: unknown command "srve"; see berth help\n']);
  });

  it("shows all flags in its help", () => {
    const { stdout, status } = berth(["help"]);
    assert.equal(status, 0);
    for (const flag of ["--config", "--pause-image", "--root, -r"]) assert.ok(stdout.includes(flag), flag);
  });

  it("says what a command does when it is asked by --help, and does nothing", () => {
    for (const command of ["check", "config", "version", "wipe"]) {
      const { stdout, stderr, status } = berth([command, "--help"]);
      assert.deepEqual([status, stderr], [0, ""]);
      assert.ok(stdout.startsWith(`Usage: berth [FLAGS] ${command}`), stdout);
      assert.equal(berth(["help", command]).stdout, stdout);
    }
  });

  it("ends quietly when nobody reads the rest of its output", () => {
    const { status, stdout, stderr } = berth(["-c", `"${launcher}" help | head -1`], "/bin/sh");
    assert.deepEqual([status, stderr], [0, ""]);
    assert.equal(stdout.split("\n").length, 2);
  });
});
