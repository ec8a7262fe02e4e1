// Gives its memory back again and again while code of many parts of the program runs: in this thread, in a worker, in the
// thread pool and in what V8 compiles. Prints how often pages were dropped.
import assert from "node:assert/strict";
import { createHash, pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { gunzipSync, gzip } from "node:zlib";
import { dropProgramPages, trimMalloc } from "#kernel/memory.ts";
import { collectGarbage } from "#lib/collect-garbage.ts";

const rounds = 20;

async function work(seed: number): Promise<string> {
  const text = JSON.stringify(Array.from({ length: 2000 }, (_, index) => ({ index, name: `n${index * seed}` })));
  const packed = await promisify(gzip)(text);
  assert.equal(gunzipSync(packed).toString(), text);
  assert.equal((await promisify(pbkdf2)("p", "s", 500, 32, "sha256")).length, 32);
  assert.match(new Intl.DateTimeFormat("en", { month: "long" }).format(new Date(0)), /January/);
  assert.equal(new RegExp(`^a(\\d{${String(seed).length}})$`, "u").exec(`a${seed}`)?.[1], String(seed));
  return createHash("sha256").update(text).digest("hex");
}

async function workOnAndOn(): Promise<void> {
  const stopping = new AbortController();
  parentPort?.once("message", () => stopping.abort());
  while (!stopping.signal.aborted) {
    await work(7);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function main(): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  const ended = new Promise((resolve, reject) => {
    worker.once("exit", resolve);
    worker.once("error", reject);
  });
  const seeds = [1, 22, 333];
  const expected = await Promise.all(seeds.map(work));
  let dropped = 0;
  for (let round = 0; round < rounds; round += 1) {
    const [bytes, , ...found] = await Promise.all([dropProgramPages(), trimMalloc(), ...seeds.map(work)]);
    assert.deepEqual(found, expected);
    if (round % 5 === 0) collectGarbage();
    if (bytes > 0) dropped += 1;
  }
  worker.postMessage("stop");
  assert.equal(await ended, 0);
  process.stdout.write(`dropped ${dropped} times of ${rounds}\n`);
}

await (isMainThread ? main() : workOnAndOn());
