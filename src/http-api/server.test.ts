import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import path from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import { silentLogger } from "#observability/logger.ts";
import type { HttpApiSources } from "./endpoint.ts";
import { endpoints } from "./endpoints.ts";
import { createHttpApi } from "./server.ts";
import { container, exampleSources, sandbox } from "./sources-example.ts";

async function serve(sources: HttpApiSources) {
  const api = createHttpApi(sources, silentLogger);
  const listener = createServer((socket) => api.accept(socket)).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const ask = async (url: string, method = "GET") => {
    const sent = request({ host: "127.0.0.1", port, path: url, method, headers: { host: "crio" }, agent: false }).end();
    const [response] = (await once(sent, "response")) as [import("node:http").IncomingMessage];
    return { status: response.statusCode, type: response.headers["content-type"], body: await text(response) };
  };
  return {
    api,
    port,
    ask,
    async [Symbol.asyncDispose]() {
      api.close();
      const closed = once(listener, "close");
      listener.close();
      await closed;
    },
  };
}

describe("HTTP on the CRI socket", () => {
  it("tells where things are stored, with CRI-O's keys", async () => {
    await using server = await serve(exampleSources());
    const { status, type, body } = await server.ask("/info");
    assert.equal(status, 200);
    assert.equal(type, "application/json");
    assert.deepEqual(JSON.parse(body), {
      storage_driver: "overlay",
      storage_image: "",
      storage_root: "/var/lib/berth",
      cgroup_driver: "cgroupfs",
      default_id_mappings: { uids: [], gids: [] },
    });
  });

  it("gives the configuration as TOML", async () => {
    await using server = await serve(exampleSources());
    assert.deepEqual(await server.ask("/config"), { status: 200, type: "application/toml", body: "[crio]\n" });
  });

  it("tells about a container what cAdvisor reads", async () => {
    await using server = await serve(exampleSources());
    const { body } = await server.ask(`/containers/${container.id}`);
    assert.deepEqual(JSON.parse(body), {
      name: "k8s_app_web_default_a1b2_0",
      pid: 4711,
      image: "busybox",
      image_ref: "docker.io/library/busybox@sha256:abc",
      created_time: 1700000001000000000,
      labels: { tier: "front" },
      annotations: { a: "b" },
      crio_annotations: { kept: "by berth" },
      log_path: "/var/log/pods/web/app/0.log",
      root: "/var/lib/berth/c0/merged",
      sandbox: sandbox.id,
      ip_addresses: ["10.0.0.2", "fd00::2"],
      host_network: false,
    });
  });

  it("tells about a pod without a pause process the pid of one of its containers", async () => {
    await using server = await serve(exampleSources());
    const answer = JSON.parse((await server.ask(`/containers/${sandbox.id}`)).body) as Record<string, unknown>;
    assert.equal(answer["name"], "k8s_POD_web_default_a1b2_0");
    assert.equal(answer["pid"], 4711);
    assert.deepEqual(answer["labels"], { app: "web", "io.kubernetes.container.name": "POD" });
  });

  it("pauses and unpauses a container", async () => {
    const called: string[] = [];
    const note = (what: string) => (id: string) => Promise.resolve(void called.push(`${what} ${id}`));
    await using server = await serve(exampleSources({ pause: note("pause"), unpause: note("unpause") }));
    for (const action of ["pause", "unpause"]) {
      const { status, body } = await server.ask(`/${action}/${container.id}`);
      assert.deepEqual({ status, body }, { status: 200, body: "200 OK" });
    }
    assert.deepEqual(called, [`pause ${container.id}`, `unpause ${container.id}`]);
  });

  it("answers 409 when the container is in the wrong state, with the reason", async () => {
    const pause = () => Promise.reject(new DomainError("failed-precondition", "it is exited"));
    await using server = await serve(exampleSources({ pause }));
    const { status, body } = await server.ask(`/pause/${container.id}`);
    assert.deepEqual({ status, body }, { status: 409, body: "it is exited\n" });
  });

  it("answers 404 for containers and paths that do not exist, and 405 for other methods", async () => {
    await using server = await serve(exampleSources());
    for (const missing of ["/containers/ffff", "/containers/", "/containers/../info", "/nothing", "/info/more"])
      assert.equal((await server.ask(missing)).status, missing === "/containers/../info" ? 200 : 404, missing);
    assert.equal((await server.ask("/info", "POST")).status, 405);
  });

  it("answers 500 for what nobody foresaw", async () => {
    const verbose = () => Promise.reject(new Error("the disk is gone"));
    await using server = await serve(exampleSources({ verbose }));
    const { status, body } = await server.ask(`/containers/${container.id}`);
    assert.deepEqual({ status, body }, { status: 500, body: "the disk is gone\n" });
  });

  it("ends idle connections when it closes", async () => {
    await using server = await serve(exampleSources());
    const socket = connect(server.port, "127.0.0.1");
    socket.write("GET /config HTTP/1.1\r\nhost: crio\r\n\r\n");
    await once(socket, "data");
    const ended = once(socket, "close");
    server.api.close();
    await ended;
  });
});

describe("docs/endpoints.md", () => {
  it("names every endpoint with what it answers", () => {
    const page = readFileSync(path.resolve(import.meta.dirname, "../../docs/endpoints.md"), "utf8");
    for (const { path: place, summary } of endpoints)
      assert.ok(page.includes(`| \`GET ${place}\` | ${summary} |`), place);
  });
});
