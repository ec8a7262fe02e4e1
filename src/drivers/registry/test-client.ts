import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { stringify } from "smol-toml";
import { silentLogger } from "#observability/logger.ts";
import { type ClosableRegistryClient, type RegistryClientOptions, createRegistryClient } from "./client.ts";
import { parseReference } from "./names/reference.ts";
import type { ImageReference } from "./index.ts";

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
