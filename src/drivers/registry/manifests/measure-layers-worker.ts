import { type Hash, createHash } from "node:crypto";
import { once } from "node:events";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { type Gunzip, createGunzip } from "node:zlib";

/** To the worker: the next bytes of the layer, or its end. */
export type MeasureInput = { kind: "chunk"; bytes: Uint8Array } | { kind: "end" };

/** From the worker: one for each input. */
export type MeasureOutput =
  | { kind: "taken" }
  | { kind: "measured"; sha256: string; diffSha256: string; sizeBytes: number; gzip: boolean }
  | { kind: "failed"; message: string };

/** Hashes one layer as it is and as it is unpacked. */
class LayerMeter {
  readonly #limitBytes: number;
  readonly #packed: Hash = createHash("sha256");
  readonly #unpacked: Hash = createHash("sha256");
  #sizeBytes = 0;
  #unpackedBytes = 0;
  #gunzip: Gunzip | undefined;
  #failure: Error | undefined;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  async add(bytes: Uint8Array): Promise<void> {
    this.#throwFailure();
    if (this.#sizeBytes === 0 && bytes[0] === 0x1f) this.#gunzip = this.#startGunzip();
    this.#packed.update(bytes);
    this.#sizeBytes += bytes.byteLength;
    if (this.#gunzip === undefined) this.#addUnpacked(bytes);
    else if (!this.#gunzip.write(bytes)) await once(this.#gunzip, "drain");
    this.#throwFailure();
  }

  async finish(): Promise<MeasureOutput> {
    const gzip = this.#gunzip !== undefined;
    this.#throwFailure();
    if (this.#gunzip !== undefined) {
      this.#gunzip.end();
      if (!this.#gunzip.readableEnded) await once(this.#gunzip, "end");
    }
    this.#throwFailure();
    const [sha256, diffSha256] = [this.#packed.digest("hex"), this.#unpacked.digest("hex")];
    return { kind: "measured", sha256, diffSha256, sizeBytes: this.#sizeBytes, gzip };
  }

  /** What went wrong while unpacking is found out between the calls. */
  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #startGunzip(): Gunzip {
    const gunzip = createGunzip({ chunkSize: 256 * 1024 });
    gunzip.on("data", (bytes: Uint8Array) => this.#addUnpacked(bytes));
    gunzip.on("error", (error) => {
      this.#failure ??= error;
    });
    return gunzip;
  }

  #addUnpacked(bytes: Uint8Array): void {
    this.#unpacked.update(bytes);
    this.#unpackedBytes += bytes.byteLength;
    if (this.#unpackedBytes <= this.#limitBytes) return;
    this.#failure ??= new Error(`it unpacks to more than ${this.#limitBytes} bytes`);
    this.#gunzip?.destroy(this.#failure);
  }
}

/** Answers every message of `port` in turn; the layers come one after the other. */
function serve(port: MessagePort, limitBytes: number): void {
  let meter = new LayerMeter(limitBytes);
  const handle = async (input: MeasureInput): Promise<MeasureOutput> => {
    if (input.kind === "chunk") {
      await meter.add(input.bytes);
      return { kind: "taken" };
    }
    const measured = await meter.finish();
    meter = new LayerMeter(limitBytes);
    return measured;
  };
  const failed = (error: unknown): MeasureOutput => ({
    kind: "failed",
    message: error instanceof Error ? error.message : String(error),
  });
  port.on("message", (input: MeasureInput) => {
    void handle(input)
      .catch(failed)
      .then((output) => port.postMessage(output));
  });
}

if (parentPort !== null) serve(parentPort, Number(workerData));
