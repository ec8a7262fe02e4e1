import { settleAll } from "#lib/settle.ts";

/** What reads files of its own again at a reload; each keeps what it has when they are not usable. */
export interface FileReaders {
  readonly registry: { reload(): Promise<void> };
  readonly streaming: { reloadTls(): Promise<void> };
}

/**
 * Reads the files beside the configuration again, all of them whatever becomes of one, and then calls `takeOver`.
 * @throws the first failure, without `takeOver`: a reload that is told to have failed has not changed the configuration
 */
export async function reloadFiles({ registry, streaming }: FileReaders, takeOver: () => void): Promise<void> {
  await settleAll([registry.reload(), streaming.reloadTls()]);
  takeOver();
}
