import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import { createLogger, type LoggerOptions, logLevelOf } from "./create-logger.ts";

const at = "2026-01-02T03:04:05.678Z";

function capture(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const logger = createLogger({ level: "info", format: "text", now: () => new Date(at), write, ...options });
  return { logger, lines };
}

function parsed(line: string | undefined): Record<string, unknown> {
  return JSON.parse(line ?? "null") as Record<string, unknown>;
}

describe("the logger", () => {
  it("writes a line of name=value pairs in text format, quoting where needed", () => {
    const { logger, lines } = capture();
    logger.info("pod is ready", { sandbox: "abc", name: "a b", empty: "", count: 3, none: undefined, list: ["x", 1] });
    assert.deepEqual(lines, [
      `time="${at}" level=info msg="pod is ready" sandbox=abc name="a b" empty="" count=3 list="[\\"x\\",1]"\n`,
    ]);
  });

  it("writes one line for text with newlines and control characters", () => {
    const { logger, lines } = capture();
    logger.warn("a\nb", { field: "c\nd\u001b[31m", "bad key=": 1 });
    assert.equal(lines[0]?.split("\n").length, 2);
    assert.equal(lines[0]?.includes("\u001b"), false);
    assert.match(lines[0], /bad_key_=1/);
  });

  it("writes one JSON object per line in JSON format", () => {
    const { logger, lines } = capture({ format: "json" });
    logger.child({ request: 7n }).info("hello", { nested: { a: [1, null] }, at: new Date(at) });
    assert.deepEqual(parsed(lines[0]), {
      time: at,
      level: "info",
      msg: "hello",
      request: "7",
      nested: { a: [1, null] },
      at,
    });
  });

  it("drops messages below its level, for children too, and follows setLevel", () => {
    const { logger, lines } = capture();
    const child = logger.child({ a: 1 });
    child.debug("hidden");
    logger.setLevel("debug");
    child.debug("shown");
    child.trace("hidden");
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /level=debug msg="shown" a=1/);
  });

  it("logs only messages that match the filter", () => {
    const { logger, lines } = capture({ filter: /request/ });
    logger.info("request done");
    logger.info("other");
    logger.setFilter(undefined);
    logger.info("another");
    assert.equal(lines.length, 2);
  });

  it("does not let fields replace time, level or message", () => {
    const { logger, lines } = capture({ format: "json" });
    logger.info("real", { msg: "fake", level: "error", time: "never" });
    assert.deepEqual(parsed(lines[0]), { time: at, level: "info", msg: "real" });
  });

  it("prints an expected error with its kind, facts and cause, and an unexpected one with its stack", () => {
    const { logger, lines } = capture({ format: "json" });
    const cause = new TypeError("deep");
    const error = new DomainError("not-found", "no such pod", { facts: { id: "x", argv: ["a", "b"] }, cause });
    logger.error("failed", { error });
    const { error: logged } = parsed(lines[0]);
    assert.ok(typeof logged === "object" && logged !== null && "cause" in logged);
    const { cause: loggedCause, ...rest } = logged;
    assert.deepEqual(rest, { message: "no such pod", kind: "not-found", id: "x", argv: ["a", "b"] });
    assert.match(JSON.stringify(loggedCause), /"message":"deep","stack":\["at /);
  });

  it("flattens an error in text format", () => {
    const { logger, lines } = capture();
    logger.error("failed", { error: new DomainError("aborted", "went away", { facts: { code: 2 } }) });
    assert.match(lines[0] ?? "", /error="went away" error\.kind=aborted error\.code=2\n$/);
  });

  it("writes no secret, by name or by shape", () => {
    const { logger, lines } = capture({ format: "json" });
    logger.info("pulling from https://me:hunter2@registry.test/x", {
      password: "hunter2",
      auth: { username: "me", password: "hunter2" },
      headers: { Authorization: "hunter2", accept: "x" },
      nested: [{ registryToken: "hunter2", identity_token: "hunter2" }],
      answer: "sent Bearer hunter2 and failed",
      error: new Error("cannot fetch https://me:hunter2@registry.test/"),
      map: new Map([["clientSecret", "hunter2"]]),
      author: "kept",
    });
    assert.equal(lines[0]?.includes("hunter2"), false);
    assert.equal(parsed(lines[0])["author"], "kept");
  });

  it("survives cycles, depth and getters that throw", () => {
    const { logger, lines } = capture();
    const cycle: Record<string, unknown> = { a: 1 };
    cycle["self"] = cycle;
    const hostile = {
      get broken() {
        throw new Error("no");
      },
    };
    logger.info("odd", { cycle, hostile, bytes: new Uint8Array(9), call: () => 1, not: Number.NaN });
    assert.match(lines[0] ?? "", /hostile="\[unreadable: no\]"/);
    assert.match(lines[0] ?? "", /bytes="\[9 bytes\]"/);
  });

  it("understands the level names of logrus", () => {
    assert.deepEqual(["trace", "debug", "info", "warning", "warn", "error", "fatal", "panic", "odd"].map(logLevelOf), [
      "trace",
      "debug",
      "info",
      "warn",
      "warn",
      "error",
      "error",
      "error",
      "info",
    ]);
  });
});
