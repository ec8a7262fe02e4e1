import { DomainError, messageOf } from "#errors/domain-error.ts";
import { Authorizer } from "./auth/authorizer.ts";
import { credentialsFrom, defaultAuthFiles, findCredentials, isAddressedTo } from "./auth/auth-file.ts";
import { systemBundles } from "./http/certs.ts";
import { RegistryConnection, type SchemeMemory } from "./connection.ts";
import { Endpoint } from "./endpoint.ts";
import { pullFailure } from "./http/failure.ts";
import { HttpTransport } from "./http/http-transport.ts";
import { type RegistryLimits, defaultLimits } from "./limits.ts";
import { hostPlatform } from "./manifests/platform.ts";
import { type PullSource, pullSources } from "./names/pull-sources.ts";
import { formatReference } from "./names/reference.ts";
import { type RegistriesConf, type ShortNameMode, loadRegistriesConf } from "./names/registries-conf.ts";
import { resolveImage } from "./manifests/resolve.ts";
import { shortNameCandidates } from "./names/short-names.ts";
import type { Logger } from "#observability/logger.ts";
import type { Credentials } from "./auth/auth-file.ts";
import type { BlobSource, ImageReference, RegistryAuth, RegistryClient, ResolvedImage } from "./index.ts";
import type { RetryPolicy } from "./http/retry.ts";

export interface RegistryClientOptions {
  /** Default /etc/containers/registries.conf. */
  registriesConfFile?: string;
  /** Default /etc/containers/registries.conf.d. */
  registriesConfDirs?: readonly string[];
  /** Default /etc/containers/certs.d and /etc/docker/certs.d. */
  certsDirs?: readonly string[];
  /** Bundles of authorities, the first that exists is used. Default: where distributions keep theirs. */
  systemBundles?: readonly string[];
  /** Asked for credentials before all other files. */
  globalAuthFile?: string;
  /** Replaces the whole list of credential files, `globalAuthFile` included. */
  authFiles?: readonly string[];
  /** `host[:port]` of registries that are insecure whatever registries.conf says. */
  insecureRegistries?: readonly string[];
  /** Replaces the short-name-mode of registries.conf. */
  shortNameMode?: ShortNameMode;
  /** Default 30 s. */
  connectTimeoutMs?: number;
  /** Longest silence of a connection. Default 30 s. */
  stallTimeoutMs?: number;
  limits?: Partial<RegistryLimits>;
  retry?: Partial<RetryPolicy>;
  /** For the proxy variables and the places of credential files. Default: the process's. */
  env?: NodeJS.ProcessEnv;
}

export type ClosableRegistryClient = RegistryClient &
  AsyncDisposable & {
    /** Ends every request and connection. */
    close(): Promise<void>;
  };

type ResolveOptions = Parameters<RegistryClient["resolve"]>[1];

const defaultRetry: RetryPolicy = { attempts: 4, baseDelayMs: 500, maxDelayMs: 30_000 };

/**
 * A client for the registries that registries.conf describes.
 * @throws DomainError failed-precondition when the configuration files cannot be used
 */
export async function createRegistryClient(
  options: RegistryClientOptions,
  logger: Logger,
): Promise<ClosableRegistryClient> {
  return new HttpRegistryClient(options, logger, await loadConf(options));
}

class HttpRegistryClient implements ClosableRegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #logger: Logger;
  readonly #limits: RegistryLimits;
  readonly #retry: RetryPolicy;
  readonly #transport: HttpTransport;
  readonly #authorizer: Authorizer;
  readonly #schemes: SchemeMemory = new Map();
  readonly #closed = new AbortController();
  #conf: RegistriesConf;

  constructor(options: RegistryClientOptions, logger: Logger, conf: RegistriesConf) {
    this.#options = options;
    this.#logger = logger;
    this.#conf = conf;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#retry = { ...defaultRetry, ...options.retry };
    this.#transport = new HttpTransport({
      certsDirs: options.certsDirs ?? ["/etc/containers/certs.d", "/etc/docker/certs.d"],
      systemBundles: options.systemBundles ?? systemBundles,
      proxyEnv: options.env ?? process.env,
      connectTimeoutMs: options.connectTimeoutMs ?? 30_000,
      stallTimeoutMs: options.stallTimeoutMs ?? 30_000,
    });
    this.#authorizer = new Authorizer(this.#transport, this.#retry, this.#closed.signal);
  }

  candidates(name: string): ImageReference[] {
    return shortNameCandidates(this.#conf, name, this.#options.shortNameMode);
  }

  async resolve(reference: ImageReference, options: ResolveOptions): Promise<ResolvedImage> {
    const name = formatReference(reference);
    try {
      const sources = pullSources(this.#conf, reference);
      const endpoints = await Promise.all(sources.map((source) => this.#endpoint(source, reference, options)));
      const image = await resolveImage(endpoints, {
        reference,
        platform: options.platform ?? hostPlatform(),
        limits: this.#limits,
        skipped: (repository, error) =>
          this.#logger.warn("mirror failed", { image: name, mirror: repository, error: messageOf(error) }),
        signal: this.#untilClosed(options.signal),
      });
      return { ...image, source: this.#closing(image.source) };
    } catch (error) {
      throw pullFailure(`cannot resolve ${name}`, error, { reference: name });
    }
  }

  async reload(): Promise<void> {
    this.#conf = await loadConf(this.#options);
    this.#schemes.clear();
    this.#transport.reload();
  }

  async close(): Promise<void> {
    this.#closed.abort(new DomainError("cancelled", "the registry client was closed"));
    this.#transport.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #closing(source: BlobSource): BlobSource {
    return {
      download: (blob) => {
        const download = source.download(blob);
        return {
          open: (offset, signal) => download.open(offset, this.#untilClosed(signal)),
          reject: (reason) => download.reject(reason),
        };
      },
    };
  }

  #untilClosed(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#closed.signal]);
  }

  async #endpoint(
    source: PullSource,
    reference: ImageReference,
    { auth, authFile }: ResolveOptions,
  ): Promise<Endpoint> {
    const { registry } = source.reference;
    const insecure = source.insecure || (this.#options.insecureRegistries ?? []).includes(registry);
    return new Endpoint({
      connection: new RegistryConnection(this.#transport, this.#schemes, registry, insecure),
      authorizer: this.#authorizer,
      reference: source.reference,
      credentials: await this.#credentials(source, reference, auth, authFile),
      retry: this.#retry,
    });
  }

  /** Credentials that came with the request are for the registry it names, not for a mirror somewhere else. */
  async #credentials(
    source: PullSource,
    reference: ImageReference,
    auth: RegistryAuth = {},
    authFile?: string,
  ): Promise<Credentials> {
    const { registry } = source.reference;
    if (registry === reference.registry && isAddressedTo(auth.serverAddress, registry)) {
      const given = credentialsFrom(auth, "the request");
      if (given.kind !== "anonymous") return given;
    }
    const { authFiles, globalAuthFile, env = process.env } = this.#options;
    const files = authFile === undefined ? (authFiles ?? defaultAuthFiles(globalAuthFile, env)) : [authFile];
    return findCredentials(files, source.reference);
  }
}

function loadConf(options: RegistryClientOptions): Promise<RegistriesConf> {
  return loadRegistriesConf(
    options.registriesConfFile ?? "/etc/containers/registries.conf",
    options.registriesConfDirs ?? ["/etc/containers/registries.conf.d"],
  );
}
