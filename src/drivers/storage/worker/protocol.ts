import type { ErrorKind } from "#errors/domain-error.ts";
import type { Digest } from "#spec/oci-image.ts";
import type { Usage } from "../index.ts";
import type { ApplyChangesRequest } from "../changes/apply-changes.ts";
import type { ListChangesRequest, ListedChanges } from "../changes/list-changes.ts";
import type { AdoptRequest } from "../unpack/adopt-directories.ts";
import type { InflateRequest } from "../unpack/layer-inflater.ts";
import type { UnpackRequest } from "../unpack/layer-unpacker.ts";
import type { WrittenLayer } from "../unpack/layer-writer.ts";

/** What a worker can be asked to do, and what each answers. */
export interface Jobs {
  /** Takes data; gives the tar to an `unpack` in another thread. */
  inflate: { request: InflateRequest & FedRequest; result: undefined };
  unpack: { request: UnpackRequest; result: WrittenLayer };
  /** Takes data; verifies it and writes it to a new file. */
  "write-blob": { request: { digest: Digest; sizeBytes: number; file: string } & FedRequest; result: undefined };
  "adopt-directories": { request: AdoptRequest; result: undefined };
  "remove-tree": { request: { path: string }; result: undefined };
  "measure-tree": { request: { path: string }; result: Usage };
  "list-changes": { request: ListChangesRequest; result: ListedChanges };
  "apply-changes": { request: ApplyChangesRequest; result: undefined };
}

/** Of a job that takes data: slots of `slotBytes` that both threads see. */
export interface FedRequest {
  memory: SharedArrayBuffer;
  slotBytes: number;
}

export type JobKind = keyof Jobs;

/** What comes for a task after its request. */
export type TaskMessage =
  /** The slot is the worker's until `taken`; only `length` bytes of it count. */
  | { kind: "data"; task: number; slot: number; length: number }
  | { kind: "end"; task: number }
  | { kind: "abort"; task: number };

export type ToWorker =
  | { [K in JobKind]: { kind: K; task: number; request: Jobs[K]["request"] } }[JobKind]
  | TaskMessage;

export type FromWorker =
  | { kind: "taken"; task: number; slot: number; length: number }
  /** The last word about a task; it holds no file any more. */
  | { kind: "done"; task: number; result: Jobs[JobKind]["result"] }
  | { kind: "failed"; task: number; error: { kind: ErrorKind; message: string } };
