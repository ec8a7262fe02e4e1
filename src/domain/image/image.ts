import type { RegistryAuth } from "#drivers/registry/index.ts";
import type { Digest, ImageConfig } from "#spec/oci-image.ts";

/** An image as the CRI shows it. Never changed in place: for an image that has changed there is another object. */
export interface Image {
  /** 64 hex of the config digest. */
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  /** Unpacked bytes of all layers; never 0. */
  readonly sizeBytes: number;
  readonly pinned: boolean;
  /** Undefined for an artifact. */
  readonly config: ImageConfig | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

/** ImageSpec's part that pulls need, and the credentials of the request. */
export interface PullRequest {
  /** As the user wrote it. */
  image: string;
  auth: RegistryAuth;
  /** Namespace of the pod that wants it; empty when there is none. */
  namespace: string;
  /** The only credential file to ask when none waits for the namespace. */
  authFile?: string;
}

/** Progress of one layer of a pull under way. */
export interface LayerProgress {
  digest: string;
  doneBytes: number;
  totalBytes: number;
  state: "waiting" | "fetching" | "done" | "present";
}

/** The user part of ImageStatus: a numeric uid where the image's `User` is one, else a name. A number that is no uid is a name, too. */
export function imageUser(config: ImageConfig | undefined): { uid?: number; username: string } {
  const user = (config?.config?.User ?? "").split(":")[0] ?? "";
  const uid = Number(user);
  if (/^[0-9]+$/.test(user) && Number.isSafeInteger(uid)) return { uid, username: "" };
  return { username: user };
}

/** An image as far as containers made of it need it. */
export interface ImageInUse {
  readonly id: string;
  /** As asked for. */
  readonly name: string;
  /** `registry/repository@digest`, or the id where there is none. */
  readonly ref: string;
  readonly repoDigests: readonly string[];
  /** Layers from the lowest up. */
  readonly chainIds: readonly Digest[];
  readonly config: ImageConfig;
}

/** An image's content as image volumes show it. */
export interface ImageContent {
  readonly id: string;
  /** Layers from the lowest up; of an artifact none. */
  readonly chainIds: readonly Digest[];
  /** Of an artifact: its files by name, with where their content lies. */
  readonly files: readonly { name: string; path: string }[] | undefined;
}

/** A container, or a pod by its pause process, that an image may not be taken from. */
export interface ImageUser {
  readonly id: string;
  /** Whether it was made of the image or shows it as a volume. */
  readonly as: "root" | "volume";
}
