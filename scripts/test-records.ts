// A reporter for `node --test`: one line of JSON for each test that passed, failed or was skipped. A suite counts only for
// what none of its tests says: that it was skipped, or that one of its hooks failed.
import path from "node:path";
import type { TestEvent } from "node:test/reporters";

export interface TestRecord {
  outcome: "passed" | "failed" | "skipped";
  /** The file, from the folder where the run began, and the test's name. */
  name: string;
  /** Why it was skipped or failed. */
  reason: string;
}

export default async function* testRecords(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    const record = recordOf(event);
    if (record !== undefined) yield `${JSON.stringify(record)}\n`;
  }
}

function recordOf(event: TestEvent): TestRecord | undefined {
  if (event.type !== "test:pass" && event.type !== "test:fail") return undefined;
  const { data } = event;
  const isSuite = data.details.type === "suite";
  const file = data.file === undefined ? "" : `${path.relative(process.cwd(), data.file)}: `;
  const name = `${file}${data.name}`;
  const skipped = data.skip ?? data.todo;
  if (skipped !== undefined && skipped !== false) {
    return { outcome: "skipped", name, reason: typeof skipped === "string" ? skipped : "no reason given" };
  }
  if (event.type === "test:pass") return isSuite ? undefined : { outcome: "passed", name, reason: "" };
  const { error } = event.data.details;
  if (isSuite && failureType(error) === "subtestsFailed") return undefined;
  return { outcome: "failed", name, reason: reasonOf(error) };
}

/** How the error begins, and what caused it: a failed hook's own error says only that a hook failed. */
function reasonOf(error: Error): string {
  const messages = [error.message, ...(error.cause instanceof Error ? [error.cause.message] : [])];
  return [...new Set(messages.map(beginning))].join(" ");
}

/** The first line often only announces a list. */
function beginning(message: string): string {
  const mostLines = 4;
  const lines = message.split("\n").filter((line) => line.trim() !== "");
  return lines
    .slice(0, mostLines)
    .map((line) => line.trim().slice(0, 200))
    .join(" | ");
}

function failureType(error: Error): unknown {
  return "failureType" in error ? error.failureType : undefined;
}
