import { createHash } from "node:crypto";
import { DomainError, kindOf } from "#errors/domain-error.ts";
import type { FilesystemUsage, Images } from "#domain/runtime.ts";
import type { ImageRecord } from "#drivers/storage/index.ts";
import { nowNs } from "#lib/clock.ts";
import { SingleFlight } from "#lib/single-flight.ts";
import { parseImageConfig } from "#spec/image-config.ts";
import type { ImageConfig } from "#spec/oci-image.ts";
import { allowUse } from "./allow-use.ts";
import type { NamedImage } from "./allow-use.ts";
import type { Image, ImageContent, ImageInUse, ImageUser, LayerProgress, PullRequest } from "./image.ts";
import { findRecord, isPinned, namesOf } from "./image-names.ts";
import { type PullDrivers, pullImage } from "./pull-image.ts";
import { PullProgressBoard } from "./pull-progress.ts";

export interface ImageServiceOptions extends PullDrivers {
  /** Credential file for images that the node itself needs; empty for none of their own. */
  nodeAuthFile(): string;
  /** `oci_artifact_mount_support`. */
  mountsArtifacts: boolean;
  /** Patterns of images that nobody may remove to save space; the pause image is one. */
  pinnedPatterns(): readonly string[];
  /** What uses an image. */
  usersOf(imageId: string): readonly ImageUser[];
}

/** Images: lists and look-ups are answered from memory, pulls of the same image are joined. */
export class ImageService implements Images {
  readonly #options: ImageServiceOptions;
  /** By image id; of artifacts there is none. */
  readonly #configs = new Map<string, ImageConfig>();
  readonly #views = new WeakMap<ImageRecord, Image>();
  readonly #pulls = new SingleFlight<string, string>();
  readonly #board = new PullProgressBoard();
  readonly #stopping = new AbortController();

  constructor(options: ImageServiceOptions) {
    this.#options = options;
  }

  /**
   * Reads the configurations of all images. An image whose configuration cannot be read is as if it were not here: the kubelet pulls what it is
   * not told of, and that is what mends it. One whose configuration means nothing here is removed, since nobody would ask for that.
   */
  async load(): Promise<void> {
    const { storage } = this.#options;
    const read = storage.takeConfigs();
    await Promise.all(storage.images().map((record) => this.#loadOne(record, read.get(record.id))));
  }

  async #loadOne(record: ImageRecord, read: Uint8Array | undefined): Promise<void> {
    const { storage, logger } = this.#options;
    const [image] = [...record.repoTags, ...record.repoDigests];
    try {
      await this.#readConfig(record, read);
    } catch (error) {
      logger.error("the configuration of an image cannot be used; pull it again", { image, id: record.id, error });
      // What the disk does not give just now may be there at the next start.
      if (error instanceof Error && "code" in error) return;
      await storage
        .updateImage(record.id, () => undefined)
        .catch((failure: unknown) => {
          logger.warn("an image that cannot be used is not removed", { image, id: record.id, error: failure });
        });
    }
  }

  pull(request: PullRequest): Promise<string> {
    return this.#pulls.run(flightKey(request), () => this.#pull(request));
  }

  list(filter: string): Image[] {
    if (filter !== "") return [this.find(filter)].filter((image) => image !== undefined);
    const records = this.#options.storage.images().filter((record) => this.#isReadable(record));
    return records.map((record) => this.#view(record));
  }

  find(name: string): Image | undefined {
    const record = findRecord(this.#options.storage.images(), name, this.#options.registry);
    return record === undefined || !this.#isReadable(record) ? undefined : this.#view(record);
  }

  /**
   * By name only that name goes, unless it was the last; by id everything. A name or id that is not there is fine.
   * @throws DomainError failed-precondition while a volume shows the image, or while anything uses it and the image would go
   */
  async remove(name: string): Promise<void> {
    const { storage, registry, logger } = this.#options;
    const found = findRecord(storage.images(), name, registry);
    if (found === undefined) return;
    const names = namesOf(name, registry);
    const isNamed = hasName(found, names);
    const rest = await storage.updateImage(found.id, (current) => {
      // Another image has taken the name meanwhile: this one has lost it already.
      if (current === undefined || (isNamed && !hasName(current, names))) return current;
      return restOf(current, isNamed ? names : [...current.repoTags], name, this.#options.usersOf(current.id));
    });
    if (rest !== undefined) return;
    // Not when it has been pulled again since.
    if (storage.image(found.id) === undefined) this.#configs.delete(found.id);
    logger.info("image is removed", { image: name, id: found.id });
  }

  watchPull(image: string, signal: AbortSignal): AsyncIterable<LayerProgress[]> {
    return this.#board.watch(image, signal);
  }

  async fsInfo(): Promise<FilesystemUsage> {
    const { storage } = this.#options;
    const containers = await storage.containerUsage();
    return {
      timestampNs: BigInt(nowNs()),
      imageFs: [{ mountpoint: storage.imageRoot, ...storage.imageUsage() }],
      containerFs: [{ mountpoint: storage.containerRoot, ...containers }],
    };
  }

  /** @throws DomainError not-found; invalid-argument for an artifact; failed-precondition when the configuration is lost */
  use(name: string): ImageInUse {
    if (name === "") throw new DomainError("invalid-argument", "the image name is empty");
    const record = findRecord(this.#options.storage.images(), name, this.#options.registry);
    const config = record && this.#configs.get(record.id);
    if (record === undefined) throw new DomainError("not-found", `image ${name} is not on this node`);
    if (record.artifact !== undefined)
      throw new DomainError("invalid-argument", `${name} is an artifact, not an image that a container could run`);
    if (config === undefined)
      throw new DomainError(
        "failed-precondition",
        `image ${name} (${record.id}): its configuration cannot be read; pull it again`,
      );
    return {
      id: record.id,
      name,
      ref: record.repoDigests[0] ?? record.id,
      repoDigests: record.repoDigests,
      chainIds: record.chainIds,
      config,
    };
  }

  /** As `use`; pulls what is missing. */
  async ensure(name: string): Promise<ImageInUse> {
    const record = findRecord(this.#options.storage.images(), name, this.#options.registry);
    if (record === undefined || !this.#isReadable(record)) {
      const authFile = this.#options.nodeAuthFile();
      await this.pull({ image: name, auth: {}, namespace: "", ...(authFile === "" ? {} : { authFile }) });
    }
    return this.use(name);
  }

  /** @throws DomainError not-found, failed-precondition for an artifact where those are not to be mounted */
  content(name: string): ImageContent {
    const { storage, registry, mountsArtifacts } = this.#options;
    const record = findRecord(storage.images(), name, registry);
    if (record === undefined) throw new DomainError("not-found", `image ${name} is not on this node`);
    if (record.artifact !== undefined && !mountsArtifacts)
      throw new DomainError("failed-precondition", `${name} is an artifact, and oci_artifact_mount_support is off`);
    const files = record.artifact?.map(({ title, digest }) => ({ name: title, path: storage.blobPath(digest) }));
    return { id: record.id, chainIds: record.chainIds, files };
  }

  async allow(image: NamedImage, namespace: string): Promise<void> {
    await allowUse(this.#options, image, namespace, this.#stopping.signal);
  }

  /** Gives up pulls under way. */
  close(): void {
    this.#stopping.abort(new DomainError("unavailable", "the daemon is stopping"));
  }

  async #pull(request: PullRequest): Promise<string> {
    const progress = this.#board.begin(request.image);
    const startedMs = performance.now();
    try {
      const record = await pullImage(this.#options, request, progress, this.#stopping.signal);
      await this.#readConfig(record);
      this.#options.observer.pulled(request.image);
      this.#options.logger.info("image is pulled", {
        image: request.image,
        id: record.id,
        compressedBytes: record.compressedSizeBytes,
        durationMs: Math.round(performance.now() - startedMs),
      });
      return record.id;
    } catch (error) {
      this.#options.observer.failed(request.image, reasonOf(error));
      if (kindOf(error) === "resource-exhausted") await this.#makeRoom();
      throw error;
    } finally {
      this.#board.end(request.image, progress);
    }
  }

  /**
   * What failed pulls have fetched is kept for their retry, but not on a full disk: the kubelet does not see it, so it would evict pods instead,
   * and nothing else could be pulled.
   */
  async #makeRoom(): Promise<void> {
    const { storage, logger } = this.#options;
    try {
      await storage.dropFetched();
    } catch (error) {
      logger.warn("what was fetched for a pull that found no room is not removed", { error });
    }
  }

  /** @throws whatever the disk says, or DomainError for one that is no configuration */
  async #readConfig(record: ImageRecord, read?: Uint8Array): Promise<void> {
    const { storage } = this.#options;
    if (record.artifact !== undefined || this.#configs.has(record.id)) return;
    try {
      this.#configs.set(record.id, parseImageConfig(read ?? (await storage.readBlob(`sha256:${record.id}`))));
    } catch (error) {
      // Else it was removed as soon as it was here.
      if (storage.image(record.id) !== undefined) throw error;
    }
  }

  /** Not so for a moment of its pull either. */
  #isReadable(record: ImageRecord): boolean {
    return record.artifact !== undefined || this.#configs.has(record.id);
  }

  /** One object for as long as it says the same, so that the edge can keep what it makes of it. */
  #view(record: ImageRecord): Image {
    const pinned = isPinned(record, this.#options.pinnedPatterns());
    const config = this.#configs.get(record.id);
    const before = this.#views.get(record);
    if (before?.pinned === pinned && before.config === config) return before;
    const image: Image = {
      id: record.id,
      repoTags: record.repoTags,
      repoDigests: record.repoDigests,
      // The kubelet takes an image of no size for an error; one without files still has what describes it.
      sizeBytes: record.unpackedSizeBytes || record.compressedSizeBytes,
      pinned,
      config,
      annotations: record.annotations ?? {},
    };
    this.#views.set(record, image);
    return image;
  }
}

function hasName({ repoTags, repoDigests }: ImageRecord, names: readonly string[]): boolean {
  return names.some((name) => repoTags.includes(name) || repoDigests.includes(name));
}

/** The record without these names; undefined without its last tag. @throws DomainError failed-precondition when `users` forbid it */
function restOf(
  record: ImageRecord,
  names: readonly string[],
  asked: string,
  users: readonly ImageUser[],
): ImageRecord | undefined {
  const keep = (name: string): boolean => !names.includes(name);
  const rest = { ...record, repoTags: record.repoTags.filter(keep), repoDigests: record.repoDigests.filter(keep) };
  if (rest.repoTags.length > 0 && users.every(({ as }) => as !== "volume")) return rest;
  const [first] = users;
  if (first === undefined) return undefined;
  throw new DomainError(
    "failed-precondition",
    `image ${asked} (${record.id}) is used by ${users.length} containers, the first of them ${first.id}` +
      (first.as === "volume" ? ", as a volume" : ""),
  );
}

/** Label of the metric of failed pulls. */
function reasonOf(error: unknown): string {
  const reason = error instanceof DomainError ? error.facts["reason"] : undefined;
  if (typeof reason === "string" && reason !== "UNKNOWN") return reason;
  return kindOf(error) === "not-found" ? "NOT_FOUND" : "UNKNOWN";
}

/** Pulls are joined only for equal credentials: else one who may not read an image would get it from one who may. */
function flightKey(request: PullRequest): string {
  const { auth, authFile = "" } = request;
  const secrets = createHash("sha256")
    .update(JSON.stringify([auth, authFile]))
    .digest("hex");
  return [request.image, request.namespace, secrets].join("\n");
}
