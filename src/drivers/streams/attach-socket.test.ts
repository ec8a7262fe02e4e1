import assert from "node:assert/strict";
import { closeSync, writeSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { PacketListener } from "#kernel/packet-listener.ts";
import { attachToMonitor } from "./attach-socket.ts";
import type { AttachedContainer } from "./index.ts";

describe("output of a monitor that has ended", { timeout: 10_000 }, () => {
  const said = ["stdout one", "stderr two", "stdout three"];

  it("is read to its end although input was left unread", async () => {
    const { attached, monitor } = await joined();
    say(monitor);
    await written(attached, "typed");
    closeSync(monitor);
    assert.deepEqual(await outputOf(attached), said);
  });

  it("is read to its end although more input comes", async () => {
    const { attached, monitor } = await joined();
    say(monitor);
    closeSync(monitor);
    await written(attached, "too late");
    assert.deepEqual(await outputOf(attached), said);
  });
});

/** A session with a monitor, and the monitor's end of its socket. */
async function joined(): Promise<{ attached: AttachedContainer; monitor: number }> {
  await using folder = await mkdtempDisposable(path.join(os.tmpdir(), "berth-attach-"));
  const file = path.join(folder.path, "attach");
  using listener = new PacketListener(file);
  const attached = await attachToMonitor(file);
  return { attached, monitor: listener.accept() };
}

function say(monitor: number): void {
  for (const packet of ["\x02one", "\x03two", "\x02three"]) writeSync(monitor, packet);
}

function written({ input }: AttachedContainer, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    input.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

async function outputOf(attached: AttachedContainer): Promise<string[]> {
  const got: string[] = [];
  for await (const { stream, bytes } of attached.output) got.push(`${stream} ${bytes.toString()}`);
  return got;
}
