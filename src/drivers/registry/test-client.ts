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
