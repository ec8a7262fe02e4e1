import assert from "node:assert/strict";
import { it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { framed, maxReceiveBytes, open, outcomeOf, serveGrpc } from "./server-for-tests.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

it("what was said in a call is not kept after it, also while its connection stays", async () => {
  let request: WeakRef<ArrayBufferLike> | undefined;
  await using server = await serveGrpc({
    Forget(bytes, call) {
      request = new WeakRef(bytes.buffer);
      call.answer(framed("done"));
    },
  });
  const stream = open(server.connect(), "Forget");
  stream.end(framed("x".repeat(maxReceiveBytes)));
  assert.deepEqual((await outcomeOf(stream)).messages, ["done"]);
  for (let round = 0; round < 10 && request?.deref() !== undefined; round += 1) {
    // What a turn of the event loop has looked at through a weak reference stays until its end.
    await turn();
    collect();
  }
  assert.ok(request !== undefined);
  // Not the memory itself, which a failure would print.
  assert.equal(request.deref() === undefined, true);
});
