import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { eventually } from "../support/eventually.ts";

const serveModule = path.resolve(import.meta.dirname, "../../src/cli/serve.ts");

/** A process that serves nothing, but is otherwise the daemon's: configuration, log, signals. */
const program = (shutdown: string) => `
  import { serve } from ${JSON.stringify(serveModule)};
  const [, , flags] = process.argv;
  setInterval(() => {}, 1000);
  process.exitCode = await serve(new Map(JSON.parse(flags)), async ({ logger }) => ({
    shutdown: async () => { ${shutdown} },
    reload: async (config) => logger.info("told", { pauseImage: config.image.pauseImage }),
  }));
`;

describe("the daemon's process", () => {
  let base: string;
  let folder: string;
  let log: string;
  let child: ChildProcess;

  before(async () => {
    base = await mkdtemp(path.join(tmpdir(), "berth-process-"));
  });
  after(() => rm(base, { recursive: true }));
  beforeEach(async () => {
    folder = await mkdtemp(path.join(base, "t-"));
    log = path.join(folder, "log");
  });
  afterEach(() => {
    child.kill("SIGKILL");
  });

  const runroot = () => path.join(folder, "run");

  async function start(configuration = "", shutdown = ""): Promise<void> {
    const script = path.join(folder, "serve.ts");
    const configFile = path.join(folder, "crio.conf");
    await writeFile(script, program(shutdown));
    await writeFile(configFile, configuration);
    const flags = [
      ["config", [configFile]],
      ["config-dir", [""]],
      ["root", [path.join(folder, "root")]],
      ["runroot", [runroot()]],
      ["log", [log]],
    ];
    child = spawn(process.execPath, [script, JSON.stringify(flags)], {
      stdio: "inherit",
      env: { PATH: process.env["PATH"] },
    });
    await logged(/berth is starting/);
  }

  function logged(pattern: RegExp): Promise<RegExpExecArray> {
    return eventually(`the log to say ${pattern}`, async () => {
      const content = await readFile(log, "utf8").catch(() => "");
      return pattern.exec(content) ?? undefined;
    });
  }

  async function exitCode(): Promise<unknown> {
    const [code, signal] = await once(child, "exit");
    return code ?? signal;
  }

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`shuts down and ends with status 0 after ${signal}`, async () => {
      await start();
      child.kill(signal);
      assert.equal(await exitCode(), 0);
      await logged(/berth has shut down/);
    });
  }

  it("ends when the time for shutting down is over, with status 1", async () => {
    await start('[berth]\nshutdown_timeout = "150ms"\n', "await new Promise(() => {});");
    child.kill("SIGTERM");
    assert.equal(await exitCode(), 1);
    await logged(/ends with work under way/);
  });

  it("ends at once on a second signal", async () => {
    await start("", "await new Promise(() => {});");
    child.kill("SIGTERM");
    await logged(/is shutting down/);
    child.kill("SIGTERM");
    assert.equal(await exitCode(), "SIGKILL");
  });

  it("reloads on SIGHUP what may change, and says what needs a restart", async () => {
    await start();
    const changed =
      '[crio.runtime]\nlog_level = "debug"\ncgroup_manager = "cgroupfs"\n[crio.image]\npause_image = "p"\n';
    await writeFile(path.join(folder, "crio.conf"), changed);
    child.kill("SIGHUP");
    await logged(/level=warn msg="crio\.runtime\.cgroup_manager has changed, which takes effect after a restart"/);
    await logged(/told" pauseImage=p/);
    await logged(/Configuration reload completed/);
  });

  it("keeps its configuration when the new one does not load, and reloads again later", async () => {
    await start();
    await writeFile(path.join(folder, "crio.conf"), "[crio.image]\npause_image = 3\n");
    child.kill("SIGHUP");
    await logged(
      /level=error msg="configuration reload failed.*crio\.conf:2:1: crio\.image\.pause_image must be a string/,
    );
    await writeFile(path.join(folder, "crio.conf"), '[crio.image]\npause_image = "q"\n');
    child.kill("SIGHUP");
    await logged(/told" pauseImage=q/);
  });

  it("writes to a new log file after the old one was renamed and SIGHUP", async () => {
    await start();
    await rename(log, `${log}.1`);
    child.kill("SIGHUP");
    await logged(/Configuration reload completed/);
  });

  it("survives SIGPIPE and SIGUSR2, and writes a report on SIGUSR1", async () => {
    await start();
    child.kill("SIGPIPE");
    child.kill("SIGUSR2");
    await logged(/memory in use" rss=\d+/);
    child.kill("SIGUSR1");
    const [, file = ""] = await logged(/wrote a diagnostic report" file=(\S+)/);
    assert.equal(path.dirname(file), runroot());
    const { header } = JSON.parse(await readFile(file, "utf8")) as { header: { processId: number } };
    assert.equal(header.processId, child.pid);
    assert.equal(child.exitCode, null);
  });

  it("logs an exception that nobody handled and ends with status 1", async () => {
    await start("", 'setTimeout(() => { throw new TypeError("a bug"); }); await new Promise(() => {});');
    child.kill("SIGTERM");
    assert.equal(await exitCode(), 1);
    await logged(/unexpected failure" error="a bug" error\.stack=/);
  });

  it("goes on after a rejection that nobody handled, but logs it", async () => {
    await start("", 'void Promise.reject(new TypeError("a bug")); await new Promise((done) => setTimeout(done, 20));');
    child.kill("SIGTERM");
    assert.equal(await exitCode(), 0);
    await logged(/background failure was not handled" error="a bug"/);
  });
});
