import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { temporarySuffix, writeFileAtomic } from "#kernel/atomic-file.ts";
import type { Attachment } from "./attachment.ts";
import { formatConfiguration, parseConfiguration, type ResolvedNetwork } from "./configuration.ts";
import { isJsonObject, parseJsonObject, type JsonObject } from "./json.ts";
import { highestVersion } from "./version.ts";

/** An attachment as it is on disk. */
export interface CachedAttachment extends Attachment {
  file: string;
  networkName: string;
  /** The configuration that ADD was run with. */
  network: ResolvedNetwork;
  /** What ADD ended with; undefined when it did not end. */
  result: JsonObject | undefined;
  /** The runtime that made the attachment, when it is one that says so. */
  owner: string | undefined;
}

const kind = "cniCacheV1";
// Other processes write here too; a temporary file younger than this may be about to get its name.
const abandonedAfterMs = 60_000;

/**
 * The attachments on this machine, one file each, in the layout that the CNI reference library uses: other runtimes and tools
 * read and write the same directory.
 */
export class AttachmentCache {
  readonly #directory: string;
  readonly #owner: string;
  /** Files of the directory, listed once and then kept, so that finding one pod's entries reads no directory. */
  #knownFiles: Promise<Set<string>> | undefined;

  /** @param owner written into each entry, to tell ours from those of other programs */
  constructor(directory: string, owner: string) {
    this.#directory = directory;
    this.#owner = owner;
  }

  /** Path of the entry of an attachment. */
  fileOf(networkName: string, containerId: string, ifName: string): string {
    return path.join(this.#directory, `${networkName}-${containerId}-${ifName}`);
  }

  /** Writes or replaces the entry of an attachment and gives it back. Without `result`, ADD has not ended. */
  async write(network: ResolvedNetwork, attachment: Attachment, result?: JsonObject): Promise<CachedAttachment> {
    const { containerId, ifName, netns, cniArgs, capabilityArgs } = attachment;
    const file = this.fileOf(network.name, containerId, ifName);
    const config = Buffer.from(formatConfiguration(network)).toString("base64");
    const entry = { kind, containerId, config, ifName, networkName: network.name, netns, cniArgs, capabilityArgs };
    const text = JSON.stringify({ ...entry, ...(result === undefined ? {} : { result }), owner: this.#owner });
    try {
      await writeFileAtomic(file, text).catch(async (error: unknown) => {
        if (!hasErrno(error, "ENOENT")) throw error;
        await mkdir(this.#directory, { recursive: true, mode: 0o700 });
        await writeFileAtomic(file, text);
      });
    } catch (error) {
      throw new DomainError("internal", `CNI cache entry ${file} cannot be written: ${messageOf(error)}`, {
        cause: error,
      });
    }
    (await this.#files()).add(file);
    return { ...attachment, file, networkName: network.name, network, result, owner: this.#owner };
  }

  /**
   * Entries of one container. A damaged entry is left out and its file is in `damaged`.
   * @throws DomainError internal when a file exists and cannot be read
   */
  async find(containerId: string): Promise<{ entries: CachedAttachment[]; damaged: string[] }> {
    const files = [...(await this.#files())].filter((file) => path.basename(file).includes(`-${containerId}-`));
    const { entries, damaged } = await this.#read(files);
    return { entries: entries.filter((entry) => entry.containerId === containerId), damaged };
  }

  /** All entries, of whatever program. Lists the directory; meant for garbage collection. */
  async all(): Promise<{ entries: CachedAttachment[]; damaged: string[] }> {
    return this.#read(await this.#list());
  }

  /** Removes what writers that were killed left half-written. */
  async sweep(): Promise<void> {
    for (const name of await this.#names()) {
      const file = path.join(this.#directory, name);
      if (!name.endsWith(temporarySuffix) || Date.now() - (await mtimeMs(file)) < abandonedAfterMs) continue;
      await rm(file, { force: true });
    }
  }

  /** Forgets an entry; no error when it is gone already. */
  async remove(file: string): Promise<void> {
    await rm(file, { force: true });
    (await this.#files()).delete(file);
  }

  async #read(files: string[]): Promise<{ entries: CachedAttachment[]; damaged: string[] }> {
    const entries: CachedAttachment[] = [];
    const damaged: string[] = [];
    for (const file of files) {
      const text = await readIfExists(file);
      if (text === undefined) continue;
      const entry = parseEntry(file, text);
      if (entry === undefined) damaged.push(file);
      else entries.push(entry);
    }
    return { entries, damaged };
  }

  #files(): Promise<Set<string>> {
    this.#knownFiles ??= this.#list().then(
      (files) => new Set(files),
      (error: unknown) => {
        this.#knownFiles = undefined;
        throw error;
      },
    );
    return this.#knownFiles;
  }

  async #list(): Promise<string[]> {
    const names = await this.#names();
    return names.filter((name) => !name.endsWith(temporarySuffix)).map((name) => path.join(this.#directory, name));
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.#directory);
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return [];
      const message = `CNI cache ${this.#directory} cannot be read: ${messageOf(error)}`;
      throw new DomainError("internal", message, { cause: error });
    }
  }
}

async function mtimeMs(file: string): Promise<number> {
  try {
    return (await stat(file)).mtimeMs;
  } catch {
    return Date.now();
  }
}

async function readIfExists(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EISDIR")) return undefined;
    throw new DomainError("internal", `CNI cache entry ${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function parseEntry(file: string, text: string): CachedAttachment | undefined {
  const raw = parseJsonObject(text);
  const { containerId, ifName, networkName, netns, config, result, owner } = raw ?? {};
  if (raw?.["kind"] !== kind || typeof config !== "string") return undefined;
  if (typeof containerId !== "string" || typeof ifName !== "string" || typeof networkName !== "string")
    return undefined;
  const network = parseNetwork(config, networkName);
  return (
    network && {
      file,
      networkName,
      network,
      containerId,
      ifName,
      netns: typeof netns === "string" ? netns : "",
      cniArgs: Array.isArray(raw["cniArgs"]) ? raw["cniArgs"].filter(isPair) : [],
      capabilityArgs: isJsonObject(raw["capabilityArgs"]) ? raw["capabilityArgs"] : {},
      result: isJsonObject(result) ? result : undefined,
      owner: typeof owner === "string" ? owner : undefined,
    }
  );
}

// Entries of other programs hold the file as it was, which may leave several versions to choose from.
function parseNetwork(config: string, networkName: string): ResolvedNetwork | undefined {
  try {
    const parsed = parseConfiguration(Buffer.from(config, "base64").toString("utf8"), networkName);
    const cniVersion = highestVersion(parsed.cniVersions);
    if (cniVersion === undefined || parsed.plugins.length === 0) return undefined;
    const { name, disableCheck, disableGC, plugins } = parsed;
    return { name, cniVersion, disableCheck, disableGC, plugins };
  } catch {
    return undefined;
  }
}

function isPair(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === "string");
}
