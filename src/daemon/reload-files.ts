import { settleAll } from "#lib/settle.ts";

/** What reads files of its own again at a reload; each keeps what it has when they are not usable. */
export interface FileReaders<H> {
  readonly registry: { reload(): Promise<void> };
  readonly streaming: { reloadTls(): Promise<void> };
  /** Looks for the programs of runtime handlers. */
  findHandlers(): Promise<H>;
}

/**
 * Reads the files beside the configuration again, all of them whatever becomes of one, and then calls `takeOver` with the handlers.
 * @throws the first failure, without `takeOver`: a reload that is told to have failed has not changed the configuration
 */
export async function reloadFiles<H>(readers: FileReaders<H>, takeOver: (handlers: H) => void): Promise<void> {
  const { registry, streaming } = readers;
  const [handlers] = await settleAll([readers.findHandlers(), registry.reload(), streaming.reloadTls()]);
  takeOver(handlers);
}
