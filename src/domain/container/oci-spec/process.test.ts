import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { DomainError } from "#errors/domain-error.ts";
import { type EnvInputs, processArgs, processCwd, processEnv } from "./process.ts";

describe("the arguments of the process", () => {
  const image = { Entrypoint: ["entry", "-e"], Cmd: ["cmd"] };
  const cases: [name: string, command: string[], args: string[], image: typeof image | object, expected: string[]][] = [
    ["are the image's entrypoint and cmd when the request names nothing", [], [], image, ["entry", "-e", "cmd"]],
    ["are the entrypoint with the request's args", [], ["arg"], image, ["entry", "-e", "arg"]],
    ["are the request's command without the image's cmd", ["run"], [], image, ["run"]],
    ["are the request's command and args", ["run"], ["arg"], image, ["run", "arg"]],
    ["are the image's cmd when it has no entrypoint", [], [], { Entrypoint: null, Cmd: ["cmd"] }, ["cmd"]],
    ["are the request's args alone when the image has nothing", [], ["arg"], {}, ["arg"]],
  ];
  for (const [name, command, args, config, expected] of cases)
    it(name, () => assert.deepEqual(processArgs({ command, args }, config), expected));

  it("are an error when neither names anything", () => {
    assert.throws(
      () => processArgs({ command: [], args: [] }, { Cmd: null }),
      (error: DomainError) => error.kind === "invalid-argument" && /nothing to run/.test(error.message),
    );
  });

  it("may contain no NUL character", () => {
    assert.throws(() => processArgs({ command: ["a\0b"], args: [] }, {}), { kind: "invalid-argument" });
  });
});

describe("the environment", () => {
  const plain: EnvInputs = { request: [], image: {}, defaults: [], hostname: "", home: undefined, tty: false };
  const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

  it("has a PATH even when nobody sets one", () => {
    assert.deepEqual(processEnv(plain), [searchPath]);
  });

  it("has TERM with a terminal, HOSTNAME and HOME", () => {
    assert.deepEqual(processEnv({ ...plain, tty: true, hostname: "web", home: "/root" }), [
      searchPath,
      "TERM=xterm",
      "HOME=/root",
      "HOSTNAME=web",
    ]);
  });

  it("prefers the request to HOSTNAME, that to the image, and the image to the configured defaults", () => {
    const env = processEnv({
      ...plain,
      hostname: "pod",
      home: "/root",
      defaults: ["A=default", "B=default", "C=default"],
      image: { Env: ["B=image", "C=image", "HOSTNAME=build", "HOME=/image", "PATH=/bin"] },
      request: [{ name: "C", value: "request" }],
    });
    assert.deepEqual(env, ["PATH=/bin", "HOME=/image", "A=default", "B=image", "C=request", "HOSTNAME=pod"]);
  });

  it("lets the last of several entries of the request win, and keeps '=' in values", () => {
    const env = processEnv({
      ...plain,
      request: [
        { name: "A", value: "1" },
        { name: "A", value: "k=v" },
      ],
    });
    assert.deepEqual(env, [searchPath, "A=k=v"]);
  });

  for (const [what, name, value] of [
    ["an empty name", "", "v"],
    ["a name with '='", "A=B", "v"],
    ["a NUL character", "A", "\0"],
  ] as const)
    it(`refuses ${what}`, () => {
      assert.throws(() => processEnv({ ...plain, request: [{ name, value }] }), { kind: "invalid-argument" });
    });
});

describe("the working directory", () => {
  it("is the request's, else the image's, else the root, and always absolute", () => {
    assert.equal(processCwd("/work", { WorkingDir: "/image" }), "/work");
    assert.equal(processCwd("", { WorkingDir: "/image" }), "/image");
    assert.equal(processCwd("", { WorkingDir: "app" }), "/app");
    assert.equal(processCwd("", {}), "/");
  });
});
