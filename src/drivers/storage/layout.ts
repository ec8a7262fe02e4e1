import { mkdir } from "node:fs/promises";
import path from "node:path";
import { DomainError } from "#errors/domain-error.ts";
import { spreadDirectoriesIn } from "#kernel/spread-directories.ts";
import { digestAlgorithms, isDigest } from "#spec/digest.ts";
import type { Digest } from "#spec/oci-image.ts";
import type { ChainId } from "./index.ts";

const idPattern = /^[0-9a-f]{64}$/;
const containerIdPattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$/;

/**
 * Where everything lies. Every path that holds a name from outside is made here, after a check of the name.
 *
 *     imageRoot/layers/<hex>/{diff/,layer.json}   containerRoot/containers/<id>/{diff,work,merged,rootfs.json}
 *     imageRoot/images/<id>.json                  containerRoot/trash/
 *     imageRoot/blobs/<algorithm>/<hex>           runRoot/rootfs/<id>/merged
 *     imageRoot/{staging,corrupt,empty}/
 */
export class Layout {
  readonly imageRoot: string;
  readonly containerRoot: string;
  readonly runRoot: string;
  #sequence = 0;

  constructor(roots: { imageRoot: string; containerRoot: string; runRoot: string }) {
    this.imageRoot = path.resolve(roots.imageRoot);
    this.containerRoot = path.resolve(roots.containerRoot);
    this.runRoot = path.resolve(roots.runRoot);
  }

  get layers(): string {
    return path.join(this.imageRoot, "layers");
  }
  get images(): string {
    return path.join(this.imageRoot, "images");
  }
  get blobs(): string {
    return path.join(this.imageRoot, "blobs");
  }
  /** Half-made things, and what waits to be deleted; emptied at start. */
  get staging(): string {
    return path.join(this.imageRoot, "staging");
  }
  /** Records that could not be used, kept for a look; see `SetAside` for how many. */
  get corrupt(): string {
    return path.join(this.imageRoot, "corrupt");
  }
  /** A lower layer without content, for overlays that need one more. */
  get empty(): string {
    return path.join(this.imageRoot, "empty");
  }
  get containers(): string {
    return path.join(this.containerRoot, "containers");
  }
  /** As `staging`, on the file system of the containers. */
  get trash(): string {
    return path.join(this.containerRoot, "trash");
  }
  get mounts(): string {
    return path.join(this.runRoot, "rootfs");
  }

  layer(chainId: ChainId): string {
    const [algorithm, hex] = digestParts(chainId);
    return path.join(this.layers, algorithm === "sha256" ? hex : `${algorithm}-${hex}`);
  }
  /** Where a layer goes that containers still use when another takes its place. */
  replacedLayer(chainId: ChainId): string {
    return `${this.layer(chainId)}.${this.fresh("")}`;
  }
  /** Of which layer a directory in `layers` is, or was before it was replaced; undefined for a name that is none of those. */
  chainIdOf(name: string): ChainId | undefined {
    const [hex = "", algorithm = "sha256"] = name.replace(/\..*/, "").split("-").reverse();
    const chainId = `${algorithm}:${hex}`;
    return isDigest(chainId) ? chainId : undefined;
  }
  diff(chainId: ChainId): string {
    return path.join(this.layer(chainId), "diff");
  }
  image(id: string): string {
    if (!idPattern.test(id))
      throw new DomainError("invalid-argument", `image id ${JSON.stringify(id)} is not 64 hex digits`);
    return path.join(this.images, `${id}.json`);
  }
  blob(digest: Digest): string {
    const [algorithm, hex] = digestParts(digest);
    return path.join(this.blobs, algorithm, hex);
  }
  container(id: string): string {
    return path.join(this.containers, checkedContainerId(id));
  }
  /** What the container has written. cAdvisor looks for it under this name beside `rootLink`. */
  upper(id: string): string {
    return path.join(this.container(id), "diff");
  }
  /** A symbolic link to the mount point. */
  rootLink(id: string): string {
    return path.join(this.container(id), "merged");
  }
  mountPoint(id: string): string {
    return path.join(this.mounts, checkedContainerId(id), "merged");
  }

  /** A new path below `staging` or `trash`; never given twice, not even across restarts. */
  fresh(directory: string): string {
    this.#sequence += 1;
    return path.join(directory, `${Date.now().toString(36)}-${process.pid}-${this.#sequence}`);
  }

  /** Makes all directories that are missing. */
  async create(): Promise<void> {
    for (const root of [this.imageRoot, this.containerRoot, this.runRoot])
      await mkdir(root, { recursive: true, mode: 0o711 });
    const below = [this.layers, this.images, this.staging, this.corrupt, this.containers, this.trash];
    await Promise.all(below.map((directory) => mkdir(directory, { recursive: true, mode: 0o700 })));
    // Roots of containers and layers are made here, and deleted as a whole.
    for (const directory of [this.containers, this.staging]) spreadDirectoriesIn(directory);
    // Passable, so that the runtime can enter roots as the root of a user namespace; each root's own directory is not.
    await mkdir(this.mounts, { recursive: true, mode: 0o711 });
    const blobs = digestAlgorithms.map((algorithm) => path.join(this.blobs, algorithm));
    await Promise.all(blobs.map((directory) => mkdir(directory, { recursive: true, mode: 0o700 })));
    await mkdir(this.empty, { recursive: true, mode: 0o755 });
  }
}

/** @throws DomainError invalid-argument: names become paths */
export function digestParts(digest: Digest): [algorithm: string, hex: string] {
  if (!isDigest(digest)) {
    throw new DomainError(
      "invalid-argument",
      `${JSON.stringify(digest)} is no ${digestAlgorithms.join(" or ")} digest`,
    );
  }
  const colon = digest.indexOf(":");
  return [digest.slice(0, colon), digest.slice(colon + 1)];
}

/** Whether it can be a directory's name here. */
export function isContainerId(id: string): boolean {
  return containerIdPattern.test(id);
}

function checkedContainerId(id: string): string {
  if (!isContainerId(id)) {
    throw new DomainError("invalid-argument", `container id ${JSON.stringify(id)} cannot be a directory's name`);
  }
  return id;
}
