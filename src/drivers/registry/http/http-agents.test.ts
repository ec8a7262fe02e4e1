import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { request } from "#lib/node-http.ts";
import { HttpAgents } from "./http-agents.ts";

function agentsFor(certsDirs: readonly string[] = []): HttpAgents {
  return new HttpAgents({ certsDirs, systemBundles: [], proxyEnv: {} });
}

const secure = (host: string): URL => new URL(`https://${host}/v2/`);

/** Whether the agent that `make` gives is garbage when nobody but its maker knows it. */
async function isFreed(make: () => Promise<object>, forget: () => void): Promise<boolean> {
  const known = new WeakRef(await make());
  forget();
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  assert.ok(typeof collect === "function");
  for (let round = 0; round < 10 && known.deref() !== undefined; round += 1) {
    await setImmediate();
    collect();
  }
  return known.deref() === undefined;
}

describe("the connection pools", () => {
  it("are one for all hosts without certificates of their own, apart for those with, and new after a reload", async () => {
    const certs = await mkdtemp(path.join(os.tmpdir(), "berth-certs-"));
    try {
      await mkdir(path.join(certs, "own:5000"));
      const agents = agentsFor([certs]);
      const common = await agents.agentFor(secure("a"), true);
      assert.equal(await agents.agentFor(secure("b"), true), common);
      assert.notEqual(await agents.agentFor(secure("b"), false), common);
      const own = await agents.agentFor(secure("own:5000"), true);
      assert.notEqual(own, common);
      assert.equal(await agents.agentFor(secure("own:5000"), true), own);
      await rm(path.join(certs, "own:5000"), { recursive: true });
      await mkdir(path.join(certs, "a"));
      assert.equal(await agents.agentFor(secure("a"), true), common, "known until a reload");
      agents.reload();
      const [first, other] = [
        await agents.agentFor(secure("a"), true),
        await agents.agentFor(secure("own:5000"), true),
      ];
      assert.notEqual(first, other);
      assert.ok(first !== common && other !== common && other !== own);
    } finally {
      await rm(certs, { recursive: true });
    }
  });

  it("are freed by a reload, with the authorities that they hold", async () => {
    const agents = agentsFor();
    const freed = await isFreed(
      () => agents.agentFor(secure("a"), true),
      () => agents.reload(),
    );
    assert.equal(freed, true);
  });

  it("that are in use at a reload are broken by the end", async () => {
    await using server = createServer(() => undefined);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const agents = agentsFor();
    const url = new URL(`http://127.0.0.1:${port}/`);
    const outgoing = request(url, { agent: await agents.agentFor(url, true) });
    const broken = once(outgoing, "error");
    outgoing.on("error", () => undefined);
    outgoing.end();
    await once(server, "request");
    agents.reload();
    agents.close();
    await assert.rejects(
      broken.then(([error]) => Promise.reject(error as Error)),
      { code: "ECONNRESET" },
    );
  });
});
