import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { atExit } from "./at-exit.ts";
import type { BuiltImage, BuiltIndex, Content } from "./image-builder.ts";

/** The account that a registry started with `auth` knows. */
export const registryAccount = { username: "ali", password: "open-sesame" } as const;

export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:<port>`, the registry part of a reference. */
  readonly host: string;
  readonly pid: number;
  /** Pushes all blobs and the manifest under a tag; returns `<host>/<repository>:<tag>`. */
  push(image: BuiltImage | BuiltIndex, repository: string, tag: string): Promise<string>;
  pushBlob(repository: string, blob: Content): Promise<void>;
  /** PUTs a manifest under a tag or digest as it is. */
  pushManifest(repository: string, reference: string, manifest: Content): Promise<void>;
  deleteManifest(repository: string, digest: string): Promise<void>;
  /** Stops the process and removes its folder. */
  stop(): Promise<void>;
}

export interface RegistrySettings {
  /** Ask for `registryAccount` by basic authentication. */
  auth?: boolean;
}

/** Starts Debian's docker-registry on a free loopback port with a folder of its own. Resolves once it listens. */
export async function startRegistry(settings: RegistrySettings = {}): Promise<TestRegistry> {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-registry-"));
  const port = await freePort();
  writeFileSync(path.join(folder, "config.yml"), configText(folder, port, settings));
  writeFileSync(path.join(folder, "htpasswd"), htpasswd);
  const child = spawn("docker-registry", ["serve", path.join(folder, "config.yml")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const lastResort = atExit(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  const stop = async (): Promise<void> => {
    await end(child);
    rmSync(folder, { recursive: true, force: true });
    lastResort[Symbol.dispose]();
  };
  try {
    await listening(child);
  } catch (error) {
    await stop();
    throw error;
  }
  const host = `127.0.0.1:${port}`;
  const remote = new Remote(host, settings.auth === true);
  return {
    host,
    pid: child.pid ?? 0,
    push: (image, repository, tag) => remote.push(image, repository, tag),
    pushBlob: (repository, blob) => remote.pushBlob(repository, blob),
    pushManifest: (repository, reference, manifest) => remote.pushManifest(repository, reference, manifest),
    deleteManifest: (repository, digest) => remote.deleteManifest(repository, digest),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** A TCP port on loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP server has no port");
  return address.port;
}

/** The pushing half of the OCI distribution API. */
class Remote {
  readonly #host: string;
  readonly #headers: Record<string, string>;

  constructor(host: string, auth: boolean) {
    this.#host = host;
    const account = Buffer.from(`${registryAccount.username}:${registryAccount.password}`).toString("base64");
    this.#headers = auth ? { authorization: `Basic ${account}` } : {};
  }

  async push(image: BuiltImage | BuiltIndex, repository: string, tag: string): Promise<string> {
    if ("images" in image) {
      for (const one of image.images) await this.#pushImage(one, repository, one.manifest.digest);
      await this.pushManifest(repository, tag, image.manifest);
    } else {
      await this.#pushImage(image, repository, tag);
    }
    return `${this.#host}/${repository}:${tag}`;
  }

  async #pushImage(image: BuiltImage, repository: string, reference: string): Promise<void> {
    await Promise.all([image.config, ...image.layers].map((blob) => this.pushBlob(repository, blob)));
    await this.pushManifest(repository, reference, image.manifest);
  }

  async pushBlob(repository: string, blob: Content): Promise<void> {
    const start = await this.#send("POST", `/v2/${repository}/blobs/uploads/`);
    const location = start.headers.get("location");
    if (location === null) throw new Error(`the registry gave no place to upload ${blob.digest} to`);
    const place = new URL(location, `http://${this.#host}`);
    place.searchParams.set("digest", blob.digest);
    await this.#send("PUT", place.pathname + place.search, blob.bytes, "application/octet-stream");
  }

  async pushManifest(repository: string, reference: string, manifest: Content): Promise<void> {
    await this.#send("PUT", `/v2/${repository}/manifests/${reference}`, manifest.bytes, manifest.mediaType);
  }

  async deleteManifest(repository: string, digest: string): Promise<void> {
    await this.#send("DELETE", `/v2/${repository}/manifests/${digest}`);
  }

  async #send(method: string, target: string, body?: Buffer, contentType?: string): Promise<Response> {
    const response = await fetch(`http://${this.#host}${target}`, {
      method,
      headers: { ...this.#headers, ...(contentType === undefined ? {} : { "content-type": contentType }) },
      ...(body === undefined ? {} : { body: new Uint8Array(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${target}: the registry answered ${response.status}: ${text}`);
    return response;
  }
}

function configText(folder: string, port: number, settings: RegistrySettings): string {
  const auth =
    settings.auth === true ? `auth:\n  htpasswd:\n    realm: test\n    path: ${path.join(folder, "htpasswd")}\n` : "";
  return `version: 0.1
log:
  level: info
storage:
  filesystem:
    rootdirectory: ${path.join(folder, "data")}
  delete:
    enabled: true
http:
  addr: 127.0.0.1:${port}
${auth}`;
}

/** bcrypt at its lowest cost, of `registryAccount`. */
const htpasswd = `${registryAccount.username}:$2a$04$abcdefghijklmnopqrstuuXcjcm5avyCiJoD2uS24xa2lb6fjMB3G\n`;

async function listening(child: ChildProcess): Promise<void> {
  const lines: string[] = [];
  if (child.stderr === null) throw new Error("docker-registry was started without a pipe for its log");
  const failed = once(child, "exit").then(([code]) => {
    throw new Error(`docker-registry ended with status ${String(code)}:\n${lines.join("\n")}`);
  });
  const ready = Promise.withResolvers<void>();
  createInterface(child.stderr).on("line", (line) => {
    if (lines.length < 100) lines.push(line);
    if (line.includes("listening on")) ready.resolve();
  });
  child.once("error", (cause) =>
    ready.reject(new Error("docker-registry cannot be started: is it installed?", { cause })),
  );
  await Promise.race([ready.promise, failed]);
  failed.catch(() => {});
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const giveUp = setTimeout(() => child.kill("SIGKILL"), 5000);
  await ended;
  clearTimeout(giveUp);
}
