import assert from "node:assert/strict";
import os from "node:os";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";

const program = `
  import os from "node:os";
  import { raisePriority } from ${JSON.stringify(new URL("./priority.ts", import.meta.url).href)};
  const warnings = [];
  await raisePriority(-20, { warn: (message, fields) => warnings.push([message, String(fields.error)]) });
  console.log(JSON.stringify({ nice: os.getPriority(), warnings }));
`;

/** What a process says of itself that may not lower nice values. */
async function withoutCapability(): Promise<{ nice: number; warnings: [string, string][] }> {
  const node = [process.execPath, "--input-type=module", "--eval", program];
  const dropped = ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice", ...node];
  const [command = "", ...argv] = process.getuid?.() === 0 ? dropped : node;
  const { stdout } = await promisify(execFile)(command, argv);
  return JSON.parse(stdout) as { nice: number; warnings: [string, string][] };
}

describe("the priority of the event loop", () => {
  it("stays as it is, with one warning, where nice values cannot be lowered", async () => {
    const { nice, warnings } = await withoutCapability();
    assert.equal(nice, os.getPriority());
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]?.[0] ?? "", /keeps its nice value/);
    assert.match(warnings[0]?.[1] ?? "", /EACCES: permission denied, setpriority of thread/);
  });
});
