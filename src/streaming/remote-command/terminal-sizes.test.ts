import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { readTerminalSizes, TerminalSizes } from "./terminal-sizes.ts";

test("a reader that is slow sees the newest size only, and the end", async () => {
  const sizes = new TerminalSizes();
  sizes.push({ width: 1, height: 1 });
  sizes.push({ width: 2, height: 2 });
  const iterator = sizes[Symbol.asyncIterator]();
  assert.deepEqual(await iterator.next(), { done: false, value: { width: 2, height: 2 } });
  const waiting = iterator.next();
  sizes.push({ width: 3, height: 3 });
  assert.deepEqual(await waiting, { done: false, value: { width: 3, height: 3 } });
  sizes.push({ width: 4, height: 4 });
  sizes.close();
  assert.deepEqual(await iterator.next(), { done: false, value: { width: 4, height: 4 } });
  assert.equal((await iterator.next()).done, true);
});

test("sizes are read across chunks, and what is no size is skipped", async () => {
  const sizes = new TerminalSizes();
  const seen: string[] = [];
  sizes.push = ({ width, height }) => seen.push(`${width}x${height}`);
  const stream = new PassThrough();
  readTerminalSizes(stream, sizes);
  stream.write('{"Width":80,"Hei');
  stream.write('ght":24}{"width":1,"height":2} nonsense} {"Width":-1,"Height":5}{"Width":"a"}');
  stream.write("x".repeat(5000));
  stream.end('{"Width":65535,"Height":0}');
  for await (const size of sizes) assert.fail(`${size.width} was not to be iterated`);
  assert.deepEqual(seen, ["80x24", "1x2", "65535x0"]);
});
