import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { conmonArguments, type ConmonProgram, type ConmonSettings } from "./conmon-arguments.ts";
import { exampleCreate } from "./create-example.ts";
import type { MonitoredCreate } from "./index.ts";

const program: ConmonProgram = { path: "/usr/bin/conmon", env: {}, noSyncLog: false };
const settings: ConmonSettings = {
  exitsDirectory: "/run/exits",
  attachDirectory: "/run/attach",
  logSizeMaxBytes: undefined,
  logToJournald: false,
};

function argumentsFor(changes: {
  program?: Partial<ConmonProgram>;
  settings?: Partial<ConmonSettings>;
  request?: Partial<MonitoredCreate>;
  supported?: string;
}): string[] {
  return conmonArguments(
    { ...program, ...changes.program },
    { ...settings, ...changes.settings },
    changes.supported ?? "",
    exampleCreate(changes.request),
  );
}

describe("the command line of conmon", () => {
  it("names the program, the runtime with its own arguments, and every file", () => {
    const argv = argumentsFor({});
    assert.equal(argv[0], "/usr/bin/conmon");
    for (const word of [
      "--runtime=/usr/bin/runc",
      "--runtime-arg=--root=/run/runc",
      "--bundle=/run/bundle",
      "--container-pidfile=/run/bundle/pidfile",
      "--log-path=k8s-file:/var/log/app.log",
      "--exit-dir=/run/exits",
    ])
      assert.ok(argv.includes(word), word);
  });

  it("has the runtime called by another program, with nothing between the two but what that program is to get", () => {
    const runtimeBy = ["/usr/bin/nsenter", "--mount=/proc/1/fd/2"];
    const runtime = { handler: "runc", path: "/usr/bin/runc", globalArgs: ["--root=/run/runc", "--systemd-cgroup"] };
    const argv = argumentsFor({ request: { runtimeBy, runtime } });
    const called = argv.filter((word) => /^--runtime(-arg)?=/.test(word)).map((word) => word.replace(/^[^=]*=/, ""));
    assert.deepEqual(called, [...runtimeBy, runtime.path, ...runtime.globalArgs]);
    // conmon puts its own one first, where nsenter would get it.
    assert.ok(!argv.includes("--systemd-cgroup"));
  });

  it("writes to the journal too where that is wanted, unless there is no log", () => {
    const paths = (argv: string[]) => argv.filter((word) => word.startsWith("--log-path="));
    const logToJournald = { settings: { logToJournald: true } };
    assert.deepEqual(paths(argumentsFor(logToJournald)), [
      "--log-path=k8s-file:/var/log/app.log",
      "--log-path=journald:",
    ]);
    assert.deepEqual(paths(argumentsFor({ ...logToJournald, request: { logPath: "" } })), ["--log-path=none:"]);
  });

  it("leaves stdin open for the next client unless it is for one", () => {
    assert.ok(argumentsFor({ request: { stdin: true } }).includes("--leave-stdin-open"));
    assert.ok(!argumentsFor({ request: { stdin: true, stdinOnce: true } }).includes("--leave-stdin-open"));
  });

  it("leaves out the sync of logs only where conmon knows how", () => {
    const wanted = { program: { noSyncLog: true } };
    assert.ok(argumentsFor({ ...wanted, supported: "--no-sync-log  Do not sync" }).includes("--no-sync-log"));
    assert.ok(!argumentsFor(wanted).includes("--no-sync-log"));
  });
});

it("a container that is restored is restored with its file locks and, where SELinux is on, with its new labels", () => {
  const restore = { images: "/root/restores/x/checkpoint", processLabel: "", mountLabel: "" };
  const plain = argumentsFor({ request: { restore } });
  assert.deepEqual(plain.slice(-2), ["--restore=/root/restores/x/checkpoint", "--runtime-opt=--file-locks"]);
  const labelled = argumentsFor({
    request: { restore: { ...restore, processLabel: "u:r:t:s0:c1,c2", mountLabel: "u:o:f:s0" } },
  });
  assert.ok(labelled.includes("--runtime-opt=--lsm-profile=selinux:u:r:t:s0:c1,c2"));
  assert.ok(labelled.includes("--runtime-opt=--lsm-mount-context=u:o:f:s0"));
});
