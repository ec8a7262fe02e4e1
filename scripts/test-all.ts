// All checks and all tests, closed by one line: `N passed, N failed, N skipped`. Each check of `npm run check` counts as
// one. Ends with status 0 only when nothing failed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestRecord } from "./test-records.ts";

const home = path.resolve(import.meta.dirname, "..");
const unitScript = "test:unit";

interface TestRun {
  title: string;
  patterns: string[];
  concurrency: number;
  timeoutSeconds: number;
}

const runs: readonly TestRun[] = [
  { title: "unit tests", patterns: ["src/**/*.test.ts", "scripts/**/*.test.ts"], concurrency: 2, timeoutSeconds: 120 },
  // Pods of two files at once would make each other slow and their failures hard to read.
  { title: "integration tests", patterns: ["test/integration/**/*.test.ts"], concurrency: 1, timeoutSeconds: 240 },
  { title: "failure tests", patterns: ["test/failure/**/*.test.ts"], concurrency: 1, timeoutSeconds: 420 },
];

/** The steps of `npm run check`, except the unit tests, which are run and counted one by one. */
function checkScripts(): string[] {
  const { scripts } = JSON.parse(readFileSync(path.join(home, "package.json"), "utf8")) as {
    scripts: { check: string };
  };
  return scripts.check
    .split("&&")
    .map((command) => command.trim().replace(/^npm run /, ""))
    .filter((script) => script !== unitScript);
}

async function run(command: string, argv: readonly string[]): Promise<number> {
  const child = spawn(command, argv, { cwd: home, stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 1;
}

async function runCheck(script: string): Promise<TestRecord> {
  const status = await run("npm", ["run", "--silent", script]);
  const name = `npm run ${script}`;
  return status === 0
    ? { outcome: "passed", name, reason: "" }
    : { outcome: "failed", name, reason: `ended with status ${status}` };
}

async function runTests(
  { title, patterns, concurrency, timeoutSeconds }: TestRun,
  folder: string,
): Promise<TestRecord[]> {
  const file = path.join(folder, `${title}.ndjson`);
  const status = await run(process.execPath, [
    "--test",
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${timeoutSeconds * 1000}`,
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    `--test-reporter=${path.join(import.meta.dirname, "test-records.ts")}`,
    `--test-reporter-destination=${file}`,
    ...patterns,
  ]);
  const records = readFileSync(file, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as TestRecord);
  const failed = records.some(({ outcome }) => outcome === "failed");
  // A run that breaks outside of its tests must not look like one that passed.
  if (status !== 0 && !failed) records.push({ outcome: "failed", name: title, reason: `ended with status ${status}` });
  return records;
}

function listing(records: readonly TestRecord[], outcome: TestRecord["outcome"]): string[] {
  const found = records.filter((record) => record.outcome === outcome);
  return found.length === 0 ? [] : [`\n${outcome}:`, ...found.map(({ name, reason }) => `  ${name}: ${reason}`)];
}

const folder = mkdtempSync(path.join(tmpdir(), "berth-test-records-"));
const records: TestRecord[] = [];
try {
  for (const script of checkScripts()) {
    console.log(`\n== ${script}`);
    records.push(await runCheck(script));
  }
  for (const one of runs) {
    console.log(`\n== ${one.title}`);
    records.push(...(await runTests(one, folder)));
  }
} finally {
  rmSync(folder, { recursive: true });
}
const count = (outcome: TestRecord["outcome"]): number => records.filter((record) => record.outcome === outcome).length;
for (const line of [...listing(records, "skipped"), ...listing(records, "failed")]) console.log(line);
console.log(`\n${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`);
process.exitCode = count("failed") === 0 ? 0 : 1;
