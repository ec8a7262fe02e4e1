import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseHookFile } from "./hook-file.ts";
import type { HookSubject } from "./index.ts";

const plain: HookSubject = { annotations: {}, command: "/bin/sh", hasBindMounts: false };

function current(when: object, more: object = {}) {
  const file = { version: "1.0.0", hook: { path: "/bin/hook" }, when, stages: ["prestart"], ...more };
  return parseHookFile(JSON.stringify(file));
}

function old(more: object) {
  return parseHookFile(JSON.stringify({ hook: "/bin/hook", stages: ["prestart"], ...more }));
}

describe("a hook of version 1.0.0", () => {
  it("is passed on with arguments, environment and timeout, for each of its stages", () => {
    const hook = { path: "/bin/hook", args: ["hook", "-v"], env: ["A=b"], timeout: 3 };
    const file = current({ always: true }, { hook, stages: ["createRuntime", "poststop"] });
    assert.deepEqual(file.hook, hook);
    assert.deepEqual(file.stages, ["createRuntime", "poststop"]);
    assert.deepEqual(current({}).hook, { path: "/bin/hook" });
  });

  for (const [name, when, subject, fits] of [
    ["always", { always: true }, {}, true],
    ["never", { always: false }, {}, false],
    ["without conditions", {}, {}, false],
    ["a command", { commands: ["^/bin/(sh|bash)$"] }, {}, true],
    ["another command", { commands: ["^/bin/true$", "bash"] }, {}, false],
    ["bind mounts", { hasBindMounts: true }, { hasBindMounts: true }, true],
    ["bind mounts that are not there", { hasBindMounts: true }, {}, false],
    ["an annotation", { annotations: { "^a\\.b/": "^yes$" } }, { annotations: { "a.b/c": "yes" } }, true],
    ["an annotation of another value", { annotations: { "^a": "yes" } }, { annotations: { a: "no", b: "yes" } }, false],
    ["all of its conditions", { always: true, commands: ["sh"] }, {}, true],
    ["only one of its conditions", { always: true, commands: ["bash"] }, {}, false],
    ["one of two annotations", { annotations: { a: "x", b: "x" } }, { annotations: { a: "x" } }, false],
  ] as const) {
    it(`for ${name}: ${fits ? "runs" : "does not run"}`, () => {
      assert.equal(current(when).fits({ ...plain, ...subject }), fits);
    });
  }
});

describe("a hook of version 0.1.0", () => {
  it("has its path as first argument when it has arguments", () => {
    assert.deepEqual(old({ arguments: ["x"] }).hook, { path: "/bin/hook", args: ["/bin/hook", "x"] });
    assert.deepEqual(old({}).hook, { path: "/bin/hook" });
  });

  for (const [name, more, subject, fits] of [
    ["one of its conditions", { cmds: ["bash"], hasbindmounts: true }, { hasBindMounts: true }, true],
    ["a command by the other name", { cmd: ["sh$"] }, {}, true],
    ["an annotation's value", { annotation: ["^v$"] }, { annotations: { any: "v" } }, true],
    ["none of its conditions", { cmds: ["bash"], annotations: ["x"] }, {}, false],
  ] as const) {
    it(`for ${name}: ${fits ? "runs" : "does not run"}`, () => {
      assert.equal(old(more).fits({ ...plain, ...subject }), fits);
    });
  }
});

describe("a file that is no hook", () => {
  for (const [file, reason] of [
    ["{", /JSON/],
    ["[]", /the file is no object/],
    ['{"version":"2.0.0"}', /version is "2\.0\.0"/],
    ['{"version":"1.0.0","hook":{"path":"hook"},"when":{},"stages":["prestart"]}', /"hook" is not absolute/],
    ['{"version":"1.0.0","hook":{"path":"/h"},"when":{},"stages":["later"]}', /unknown stage "later"/],
    ['{"version":"1.0.0","hook":{"path":"/h"},"when":{},"stages":[]}', /no stages/],
    ['{"version":"1.0.0","hook":{"path":"/h"},"stages":["prestart"]}', /when is no object/],
    ['{"version":"1.0.0","hook":{"path":"/h","timeout":0},"when":{},"stages":["prestart"]}', /timeout 0/],
    ['{"version":"1.0.0","hook":{"path":"/h"},"when":{"commands":["("]},"stages":["prestart"]}', /when\.commands/],
    ['{"hook":"/h","stage":["prestart"],"stages":["prestart"]}', /both stages and stage/],
  ] as const) {
    it(`is refused with the reason: ${file}`, () => {
      assert.throws(() => parseHookFile(file), { kind: "invalid-argument", message: reason });
    });
  }
});
