import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { identify } from "#kernel/process-identity.ts";
import type { CreatedContainer } from "./index.ts";
import { FifoStart, isRunc } from "./start-by-fifo.ts";

const nobody = { pid: 2 ** 22, startTime: "1" };

describe("the start of a container by its fifo", () => {
  let folder: string;
  let bundle: string;
  let fifo: string;
  let starter: FifoStart;
  let init: ChildProcess | undefined;

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "berth-fifo-"));
    bundle = path.join(folder, "bundle");
    fifo = path.join(folder, "c", "exec.fifo");
    for (const directory of [bundle, path.dirname(fifo)]) mkdirSync(directory);
    writeFileSync(path.join(bundle, "config.json"), "{}");
    starter = new FifoStart(folder);
  });
  afterEach(() => {
    init?.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  });

  /** A process that waits, and then goes on. */
  function waiting(program = "echo goes on; exec sleep 1000"): CreatedContainer {
    execFileSync("mkfifo", [fifo]);
    return running(spawn("sh", ["-c", `printf 0 > ${fifo}; ${program}`], { stdio: ["ignore", "pipe", "inherit"] }));
  }

  function running(child: ChildProcess): CreatedContainer {
    init = child;
    const process = identify(child.pid ?? 0);
    assert.ok(process);
    return { id: "c", bundle, process };
  }

  /**
   * The same with what it has in its hands, which is how runc's init does it: a descriptor of the fifo's path, by which it opens it, until it has
   * written. Resolves when it has that.
   */
  async function holding(): Promise<CreatedContainer> {
    execFileSync("mkfifo", [fifo]);
    const program = `
      const { closeSync, openSync, writeSync } = require("node:fs");
      const pathOnly = 0o10000000;
      const held = openSync(process.argv[1], pathOnly);
      writeSync(1, "waits\\n");
      const fd = openSync("/proc/self/fd/" + held, "w");
      writeSync(fd, "0");
      closeSync(fd);
      closeSync(held);
      writeSync(1, "goes on\\n");
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["-e", program, fifo], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    return running(child);
  }

  /** Resolves in the turn of the event loop in which this process has opened the fifo. */
  async function opened(): Promise<void> {
    const links = (): string[] =>
      readdirSync("/proc/self/fd").flatMap((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`);
        } catch {
          return [];
        }
      });
    while (!links().includes(fifo)) await new Promise((resolve) => setImmediate(resolve));
  }

  async function goesOn(): Promise<void> {
    assert.ok(init?.stdout);
    const [words] = (await once(init.stdout, "data")) as [Buffer];
    assert.equal(words.toString(), "goes on\n");
  }

  it("lets the process go on, and takes the fifo away", async () => {
    const container = waiting();
    const [done] = await Promise.all([starter.start(container), goesOn()]);
    assert.equal(done, true);
    assert.equal(existsSync(fifo), false);
  });

  it("is done also when the process has come to its end before this one had time to look", async () => {
    const starting = starter.start(waiting("exit"));
    await opened();
    // Longer than between two looks at the process.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    assert.equal(await starting, true);
    assert.equal(existsSync(fifo), false);
  });

  it("is left to the program where a hook has to run after it", async () => {
    writeFileSync(path.join(bundle, "config.json"), JSON.stringify({ hooks: { poststart: [{ path: "/bin/true" }] } }));
    assert.equal(await starter.start(waiting()), false);
    assert.equal(existsSync(fifo), true);
  });

  it("is left to the program where nobody can tell whether one has to", async () => {
    const container = waiting();
    for (const content of ["{", "null"]) {
      writeFileSync(path.join(bundle, "config.json"), content);
      assert.equal(await starter.start(container), false);
    }
    rmSync(path.join(bundle, "config.json"));
    assert.equal(await starter.start(container), false);
    assert.equal(existsSync(fifo), true);
  });

  it("is left to the program, which says why it is none, without a fifo or a process", async () => {
    assert.equal(await starter.start({ id: "c", bundle, process: nobody }), false);
    const container = waiting();
    init?.kill("SIGKILL");
    await once(init ?? assert.fail(), "exit");
    assert.equal(await starter.start(container), false);
    assert.equal(existsSync(fifo), true);
  });

  it("is brought to its end when its daemon was killed before the fifo was opened", async () => {
    const container = await holding();
    writeFileSync(path.join(bundle, "starting"), "");
    await Promise.all([starter.resume(container), goesOn()]);
    assert.equal(existsSync(fifo), false);
  });

  it("is brought to its end when its daemon was killed after that", async () => {
    const container = await holding();
    writeFileSync(path.join(bundle, "starting"), "");
    const going = goesOn();
    execFileSync("cat", [fifo]);
    await going;
    await starter.resume(container);
    assert.equal(existsSync(fifo), false);
  });

  it("is brought to its end however long the process gets no time, by one reader", async () => {
    const container = await holding();
    writeFileSync(path.join(bundle, "starting"), "");
    init?.kill("SIGSTOP");
    const going = goesOn();
    const resumed = starter.resume(container);
    // Meanwhile a client asks for it too.
    const started = starter.start(container);
    // Longer than it takes one that gets time, by far.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.equal(existsSync(fifo), true);
    init?.kill("SIGCONT");
    assert.deepEqual(await Promise.all([going, resumed, started]), [undefined, undefined, true]);
    assert.equal(existsSync(fifo), false);
  });

  it("is over when its process was killed while it got no time", async () => {
    const container = await holding();
    writeFileSync(path.join(bundle, "starting"), "");
    init?.kill("SIGSTOP");
    const resumed = starter.resume(container);
    await opened();
    init?.kill("SIGKILL");
    await resumed;
    assert.equal(existsSync(fifo), false);
  });

  it("is not begun by the next daemon when nobody had asked for it", async () => {
    await starter.resume(waiting());
    assert.equal(existsSync(fifo), true);
  });
});

describe("a program", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "berth-is-runc-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("is runc when it is an executable of that name, and not what wraps one", () => {
    const place = (name: string): string => path.join(folder, name);
    writeFileSync(place("runc"), "\x7fELF and so on");
    writeFileSync(place("crun"), "\x7fELF and so on");
    symlinkSync(place("runc"), place("default"));
    mkdirSync(place("wrapped"));
    const script = path.join(place("wrapped"), "runc");
    writeFileSync(script, `#!/bin/sh\nexec ${place("runc")} "$@"\n`);
    chmodSync(script, 0o755);
    assert.deepEqual([place("runc"), place("default"), place("crun"), script].map(isRunc), [true, true, false, false]);
  });
});
