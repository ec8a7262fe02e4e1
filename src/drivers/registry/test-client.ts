import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { stringify } from "smol-toml";
import { silentLogger } from "#observability/logger.ts";
import type { Digest } from "#spec/oci-image.ts";
import { type ClosableRegistryClient, type RegistryClientOptions, createRegistryClient } from "./client.ts";
import { FakeRegistryServer } from "./fake-registry-server.ts";
import { parseReference } from "./names/reference.ts";
import type { ImageReference } from "./index.ts";

export const amd64 = { os: "linux", architecture: "amd64" };
export const zeros: Digest = `sha256:${"0".repeat(64)}`;

/** A client for tests: no file of this machine is read, and pauses are short. */
export function testClient(options: RegistryClientOptions = {}): Promise<ClosableRegistryClient> {
  return createRegistryClient(
    {
      registriesConfFile: "/nonexistent/registries.conf",
      registriesConfDirs: [],
      certsDirs: [],
      systemBundles: [],
      authFiles: [],
      env: {},
      retry: { attempts: 3, baseDelayMs: 1, maxDelayMs: 5 },
      ...options,
    },
    silentLogger,
  );
}

/** A registry, and a client of it that resolves names for one platform. Undone by disposing. */
export async function resolving(options: RegistryClientOptions = {}) {
  const server = await FakeRegistryServer.start();
  const client = await testClient({ insecureRegistries: [server.registry], ...options });
  const resolve = (name: string) => client.resolve(at(server, name), { platform: amd64, signal: forever() });
  return {
    server,
    resolve,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** A client whose registries.conf has `registries` (JSON) as its [[registry]] tables. */
export async function clientWith(registries: string): Promise<ClosableRegistryClient> {
  const directory = await mkdtemp(path.join(tmpdir(), "berth-mirrors-"));
  await writeFile(path.join(directory, "registries.conf"), stringify({ registry: JSON.parse(registries) }));
  const client = await testClient({ registriesConfFile: path.join(directory, "registries.conf") });
  await rm(directory, { recursive: true });
  return client;
}

/** The reference of `name` at a server of the test. */
export function at(server: { registry: string }, name: string): ImageReference {
  return parseReference(`${server.registry}/${name}`);
}

/** A signal that never fires. */
export function forever(): AbortSignal {
  return new AbortController().signal;
}

export async function readAll(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream));
}
