import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createHttps } from "node:https";
import type { Socket } from "node:net";
import { createServer as createHttp } from "#lib/node-http.ts";
import { digestOf } from "./digest.ts";
import { mediaTypes } from "./manifests/manifest-document.ts";
import type { Descriptor, Digest, Manifest, Platform } from "#spec/oci-image.ts";

/** Sees every request first; true when it has answered. */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

export interface ServedRequest {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
}

/** A registry in this process for tests of the protocol: serves what was put in, and misbehaves as `intercept` says. */
export class FakeRegistryServer implements AsyncDisposable {
  readonly requests: ServedRequest[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #content = new Map<string, { bytes: Uint8Array; type: string; digest: Digest }>();
  #connectionCount = 0;
  intercept: Intercept | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(tls?: {
    cert: string;
    key: string;
    ca?: string;
    requestCert?: boolean;
  }): Promise<FakeRegistryServer> {
    const server =
      tls === undefined ? createHttp() : createHttps({ ...tls, rejectUnauthorized: tls.requestCert ?? false });
    const fake = new FakeRegistryServer(server);
    server.on("request", (request: IncomingMessage, response: ServerResponse) => void fake.#handle(request, response));
    server.on("connection", (socket: Socket) => {
      fake.#connectionCount += 1;
      fake.#sockets.add(socket);
      socket.on("close", () => fake.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  /** `127.0.0.1:port`. */
  get registry(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the server does not listen");
    return `127.0.0.1:${address.port}`;
  }

  /** Connections made so far. */
  get connectionCount(): number {
    return this.#connectionCount;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  /** Breaks every connection there is. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  addBlob(repository: string, bytes: Uint8Array): Digest {
    const digest = digestOf(bytes);
    this.#content.set(`/v2/${repository}/blobs/${digest}`, { bytes, type: "application/octet-stream", digest });
    return digest;
  }

  addManifest(
    repository: string,
    document: object | Uint8Array,
    options: { tag?: string; type?: string } = {},
  ): Descriptor {
    const bytes = document instanceof Uint8Array ? document : Buffer.from(JSON.stringify(document));
    const digest = digestOf(bytes);
    const type = options.type ?? mediaTypes.ociManifest;
    for (const name of [digest, options.tag].filter((name) => name !== undefined))
      this.#content.set(`/v2/${repository}/manifests/${name}`, { bytes, type, digest });
    return { mediaType: type, digest, size: bytes.byteLength };
  }

  /** Puts a whole image in, with `layers` as its blobs (taken for uncompressed tars). */
  addImage(
    repository: string,
    options: { tag?: string; layers?: Uint8Array[]; config?: object; platform?: Platform } = {},
  ): { manifest: Manifest; descriptor: Descriptor; configBytes: Uint8Array } {
    const layers = options.layers ?? [Buffer.from("a layer")];
    const platform = options.platform ?? { os: "linux", architecture: "amd64" };
    const rootfs = { type: "layers", diff_ids: layers.map((layer) => digestOf(layer)) };
    const configBytes = Buffer.from(
      JSON.stringify({ ...platform, rootfs, config: { Cmd: ["/bin/sh"] }, ...options.config }),
    );
    const manifest: Manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: {
        mediaType: mediaTypes.ociConfig,
        digest: this.addBlob(repository, configBytes),
        size: configBytes.length,
      },
      layers: layers.map((layer) => ({
        mediaType: mediaTypes.ociLayer,
        digest: this.addBlob(repository, layer),
        size: layer.byteLength,
      })),
    };
    const descriptor = this.addManifest(repository, manifest, options.tag === undefined ? {} : { tag: options.tag });
    return { manifest, descriptor, configBytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dropConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? "";
    this.requests.push({ method: request.method ?? "", url, headers: request.headers });
    if ((await this.intercept?.(request, response)) === true) return;
    if (url === "/v2/") return void response.end("{}");
    const found = this.#content.get(url);
    if (found === undefined)
      return sendError(response, 404, url.includes("/blobs/") ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN");
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const headers = { "content-type": found.type, "docker-content-digest": found.digest };
    const body = found.bytes.subarray(start);
    const range = { "content-range": `bytes ${start}-${found.bytes.length - 1}/${found.bytes.length}` };
    response.writeHead(start > 0 ? 206 : 200, {
      ...headers,
      ...(start > 0 ? range : {}),
      "content-length": body.length,
    });
    response.end(body);
  }
}

/** An error as the distribution spec words it. */
export function sendError(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ errors: [{ code, message: `this is ${code.toLowerCase()}` }] }));
}
