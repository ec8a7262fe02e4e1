import type { Paths } from "#config/index.ts";
import type { Container } from "#domain/container/container.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { Records } from "#drivers/records/index.ts";
import { RecordLog } from "#drivers/records/record-log.ts";

/** Opens the records of sandboxes and containers, which `undo` closes. */
export function openRecords(
  paths: Paths,
  undo: AsyncDisposableStack,
): { sandboxRecords: Records<Sandbox>; containerRecords: Records<Container> } {
  const sandboxRecords = new RecordLog<Sandbox>(paths.sandboxRecords, checkRecord);
  undo.defer(() => sandboxRecords.close());
  const containerRecords = new RecordLog<Container>(paths.containerRecords, checkRecord);
  undo.defer(() => containerRecords.close());
  return { sandboxRecords, containerRecords };
}

/** Records carry their version, so that a later berth knows what it reads. */
function checkRecord(value: unknown): void {
  const record = value as Partial<{ version: unknown; id: unknown }> | null;
  if (typeof record !== "object" || record === null || typeof record.id !== "string")
    throw new Error("it is no record");
  if (record.version !== 1) throw new Error(`its version is ${String(record.version)}, this berth reads version 1`);
}
