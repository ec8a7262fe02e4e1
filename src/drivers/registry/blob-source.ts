import { DomainError } from "#errors/domain-error.ts";
import { repositoryName } from "#spec/repository-name.ts";
import { openBlob, sizedStream, type BlobBody } from "./blobs.ts";
import type { Endpoint } from "./endpoint.ts";
import { type PlaceFailure, type SkippedEndpoint, describeFailures, firstThatWorks } from "./first-that-works.ts";
import { pullFailure } from "./http/failure.ts";
import type { BlobDownload, BlobSource, ImageReference } from "./index.ts";
import { formatReference } from "./names/reference.ts";
import type { Descriptor } from "#spec/oci-image.ts";

/** A blob source for an image found at the first of `endpoints`; the others are asked when it lacks, loses or has damaged a blob. */
export function createBlobSource(
  endpoints: readonly Endpoint[],
  reference: ImageReference,
  skipped: SkippedEndpoint,
): BlobSource {
  return { download: (blob) => new EndpointsDownload(endpoints, reference, skipped, blob) };
}

class EndpointsDownload implements BlobDownload {
  readonly #reference: ImageReference;
  readonly #skipped: SkippedEndpoint;
  readonly #blob: Descriptor;
  /** In the order in which they are asked. */
  #places: Endpoint[];
  readonly #rejected: PlaceFailure[] = [];
  /** Who has given bytes since byte 0: a download that broke may go on elsewhere. */
  readonly #givers = new Set<Endpoint>();
  #lastOpened: Endpoint | undefined;

  constructor(endpoints: readonly Endpoint[], reference: ImageReference, skipped: SkippedEndpoint, blob: Descriptor) {
    this.#places = [...endpoints];
    this.#reference = reference;
    this.#skipped = skipped;
    this.#blob = blob;
  }

  async open(offset: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const { size, digest } = this.#blob;
    if (offset < 0 || offset > size)
      throw this.#fail(new DomainError("invalid-argument", `offset ${offset} is outside of its ${size} bytes`));
    if (offset === size && offset > 0) return emptyStream();
    if (offset === 0) this.#givers.clear();
    try {
      const body = await firstThatWorks(
        this.#places,
        signal,
        this.#skipped,
        async (endpoint) => {
          const opened = await openBlob(endpoint, digest, offset, signal);
          this.#lastOpened = endpoint;
          return this.#watched(endpoint, opened);
        },
        this.#rejected,
      );
      return sizedStream(body, this.#blob, offset, (error) => this.#fail(error));
    } catch (error) {
      throw this.#fail(error);
    }
  }

  reject(reason: string): void {
    // One that has given nothing has given the wrong thing, too.
    const givers = this.#givers.size > 0 || this.#lastOpened === undefined ? [...this.#givers] : [this.#lastOpened];
    const places = givers.map(({ reference }) => repositoryName(reference)).join(" and ");
    const bare = reason.replace(`${this.#step}: `, "");
    const error = new DomainError("data-loss", bare, { facts: { digest: this.#blob.digest, reason: "UNKNOWN" } });
    this.#rejected.push({ place: places, error });
    // Of several who gave a part each the first is the likeliest: it broke off, too.
    this.#places = this.#places.filter((endpoint) => endpoint !== givers[0]);
    if (this.#places.length === 0 || givers.length === 0)
      throw this.#fail(new DomainError("data-loss", describeFailures(this.#rejected)));
    this.#skipped(places, error);
  }

  /** Who ends without a byte is asked last from then on: it would do so again while another may have the blob. */
  #watched(endpoint: Endpoint, body: BlobBody): BlobBody {
    let hasGiven = false;
    const postpone = (): void => {
      if (!hasGiven && this.#places.includes(endpoint))
        this.#places = [...this.#places.filter((one) => one !== endpoint), endpoint];
    };
    return {
      read: async () => {
        try {
          const chunk = await body.read();
          if (chunk === undefined) postpone();
          else this.#givers.add(endpoint);
          hasGiven ||= chunk !== undefined;
          return chunk;
        } catch (error) {
          postpone();
          throw error;
        }
      },
      discard: () => body.discard(),
    };
  }

  get #step(): string {
    return `cannot read blob ${this.#blob.digest} of ${formatReference(this.#reference)}`;
  }

  #fail(error: unknown): DomainError {
    const facts = { reference: formatReference(this.#reference), digest: this.#blob.digest };
    return pullFailure(this.#step, error, facts);
  }
}

function emptyStream(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.close() });
}
