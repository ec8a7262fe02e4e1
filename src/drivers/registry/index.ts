import type { Descriptor, Digest, ImageConfig, Manifest, Platform } from "#spec/oci-image.ts";

/** Credentials as the CRI's AuthConfig gives them; at most one form is used, in the order the fields stand here. */
export interface RegistryAuth {
  username?: string;
  password?: string;
  /** base64 of `username:password`. */
  auth?: string;
  /** An OAuth2 refresh token, exchanged at the token server. */
  identityToken?: string;
  /** A bearer token sent as it is. */
  registryToken?: string;
  serverAddress?: string;
}

/** A fully qualified reference: `registry/repository` and a tag or a digest, or both. */
export interface ImageReference {
  /** Host and optional port, e.g. `registry.k8s.io` or `127.0.0.1:5000`. */
  registry: string;
  /** e.g. `library/busybox`. */
  repository: string;
  tag?: string;
  digest?: Digest;
}

/** An image's manifest, chosen for one platform, and everything needed to fetch the rest of it. */
export interface ResolvedImage {
  /** The reference asked for. */
  reference: ImageReference;
  /** Digest of what the tag or digest pointed at: the index where there is one, else the manifest. */
  topDigest: Digest;
  /** Digest of the manifest chosen for the platform. Equal to `topDigest` when there was no index. */
  manifestDigest: Digest;
  manifestMediaType: string;
  /** The exact manifest bytes; for schema 1 those of the converted manifest. */
  manifestBytes: Uint8Array;
  manifest: Manifest;
  /** Config bytes, verified against manifest.config.digest. */
  configBytes: Uint8Array;
  /** Undefined when the manifest is an artifact whose config is not an image config. */
  config: ImageConfig | undefined;
  /** Opens layer blobs, with the mirror, token and TLS context that worked for the manifest. */
  source: BlobSource;
}

export interface BlobSource {
  /** Begins to fetch a blob; nothing is asked for yet. */
  download(blob: Descriptor): BlobDownload;
}

/** One download of a blob, from the first of its places that has it: mirrors, then the registry. */
export interface BlobDownload {
  /**
   * Opens the bytes of the blob from `offset` (0 unless resuming). The stream ends early with an error when the connection
   * breaks; a server that ignores Range makes the driver skip to `offset` itself. Digest is NOT checked here. The
   * reader may free what it has read.
   * @throws DomainError not-found, unauthenticated, registry-unavailable, unavailable
   */
  open(offset: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  /**
   * Tells that what came since byte 0 is not the blob's content; the next `open`, at 0, asks the other places.
   * @throws DomainError data-loss naming each place and what was wrong there, when none is left
   */
  reject(reason: string): void;
}

export interface RegistryClient {
  /**
   * Expands a name as the user wrote it into the references to try in order: short-name aliases, unqualified search
   * registries, default tag `latest`.
   * @throws DomainError invalid-argument for what is no reference (distribution reference grammar)
   */
  candidates(name: string): ImageReference[];
  /**
   * Fetches the manifest (through mirrors; manifest lists resolved to `platform`) and the config, all digests verified.
   * @throws DomainError not-found (naming the reference and the registry's answer), unauthenticated, permission-denied
   *   (blocked registry), registry-unavailable (cannot connect, times out, TLS failure, 5xx after retries), data-loss (digest mismatch),
   *   invalid-argument (manifest is not parseable, too large, too many layers, no such platform)
   */
  resolve(
    reference: ImageReference,
    options: {
      /** Default: this machine's. */
      platform?: Platform;
      /** Wins over the files; never shown to a mirror on another host. */
      auth?: RegistryAuth;
      /** The only credential file to ask, instead of the configured ones (a pause image's, a namespace's). */
      authFile?: string;
      signal: AbortSignal;
    },
  ): Promise<ResolvedImage>;
  /** Re-reads registries.conf, registries.conf.d, certs.d. Called on SIGHUP. */
  reload(): Promise<void>;
}

/** Credential files for one pull of one namespace. */
export interface NamespacedAuth {
  /**
   * Takes the file that waits for a pull of `image` by a pod of `namespace`; disposing removes it. Undefined when there is none.
   * @throws DomainError failed-precondition when it is there and cannot be taken
   */
  take(namespace: string, image: string): Promise<({ readonly file: string } & AsyncDisposable) | undefined>;
  /** Removes files whose pulls a crash cut off. */
  sweep(): Promise<void>;
}
