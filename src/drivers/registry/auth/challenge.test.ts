import assert from "node:assert/strict";
import { test } from "node:test";
import { parseChallenges } from "./challenge.ts";

const parse = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

test("one challenge with quoted and bare parameters", () => {
  assert.deepEqual(parse('Bearer realm="https://auth.io/token?a=b",Service=reg, scope="repository:a/b:pull,push"'), [
    ["bearer", { realm: "https://auth.io/token?a=b", service: "reg", scope: "repository:a/b:pull,push" }],
  ]);
});

test("several challenges in one header, with escaped quotes", () => {
  assert.deepEqual(parse('Negotiate, Basic realm="a \\"b\\", c" , BEARER realm="x"'), [
    ["negotiate", {}],
    ["basic", { realm: 'a "b", c' }],
    ["bearer", { realm: "x" }],
  ]);
});

test("what is no challenge gives none", () => {
  assert.deepEqual(parse(""), []);
  assert.deepEqual(parse('"Bearer"'), []);
  assert.deepEqual(parse("Bearer"), [["bearer", {}]]);
});
