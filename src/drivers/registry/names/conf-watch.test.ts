import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { watchConfiguration } from "./conf-watch.ts";

test("several changes at once are told once, when they have settled", async () => {
  const directory = mkdtempSync(path.join(tmpdir(), "berth-conf-"));
  const first = Promise.withResolvers<void>();
  let calls = 0;
  using watch = watchConfiguration(
    directory,
    () => {
      calls += 1;
      first.resolve();
    },
    first.reject,
  );
  for (const name of ["a.conf", "b.conf", "a.conf"]) writeFileSync(path.join(directory, name), name);
  await first.promise;
  assert.equal(calls, 1);
  watch[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

test("a directory that does not exist is told and not watched", () => {
  const errors: unknown[] = [];
  using _ = watchConfiguration("/no/such/registries.conf.d", assert.fail, (error) => errors.push(error));
  assert.equal(errors.length, 1);
});
