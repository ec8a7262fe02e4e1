// All checks and all tests, closed by one line: `N passed, N failed, N skipped`. Each check of `npm run check` counts as
// one. Ends with status 0 only when nothing failed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestRecord } from "./test-records.ts";

const home = path.resolve(import.meta.dirname, "..");
const unitScript = "test:unit";
const checkTimeoutSeconds = 180;

interface TestRun {
  title: string;
  patterns: string[];
  /** Each file by itself: pods of two files at once would make each other slow and their failures hard to read. */
  oneByOne: boolean;
  /** How long a file, or where they run together the whole run, may take. */
  timeoutSeconds: number;
}

const runs: readonly TestRun[] = [
  { title: "unit tests", patterns: ["src/**/*.test.ts", "scripts/**/*.test.ts"], oneByOne: false, timeoutSeconds: 300 },
  { title: "integration tests", patterns: ["test/integration/**/*.test.ts"], oneByOne: true, timeoutSeconds: 240 },
  { title: "failure tests", patterns: ["test/failure/**/*.test.ts"], oneByOne: true, timeoutSeconds: 420 },
  { title: "load tests", patterns: ["test/load/**/*.test.ts"], oneByOne: true, timeoutSeconds: 420 },
];
/** After the signal to end, a file takes away its daemon, pods and mounts. */
const cleanUpSeconds = 30;

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

/** Resolves with the exit status; what takes longer than `timeoutSeconds` is ended with all it has started. */
async function run(command: string, argv: readonly string[], timeoutSeconds: number): Promise<number> {
  // A process group of its own, because the runner does not pass signals on to the files it runs.
  const child = spawn(command, argv, { cwd: home, stdio: ["ignore", "inherit", "inherit"], detached: true });
  const signalAll = (signal: NodeJS.Signals): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal);
  };
  const end = (): void => signalAll("SIGTERM");
  const timers = [
    setTimeout(end, timeoutSeconds * 1000),
    setTimeout(() => signalAll("SIGKILL"), (timeoutSeconds + cleanUpSeconds) * 1000),
  ];
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  const [code] = (await once(child, "exit")) as [number | null];
  for (const timer of timers) clearTimeout(timer);
  process.off("SIGINT", end);
  process.off("SIGTERM", end);
  return code ?? 1;
}

async function runCheck(script: string): Promise<TestRecord> {
  const status = await run("npm", ["run", "--silent", script], checkTimeoutSeconds);
  const name = `npm run ${script}`;
  return status === 0
    ? { outcome: "passed", name, reason: "" }
    : { outcome: "failed", name, reason: `ended with status ${status}` };
}

async function runTests({ title, patterns, oneByOne, timeoutSeconds }: TestRun, folder: string): Promise<TestRecord[]> {
  if (!oneByOne) return runFiles(title, patterns, timeoutSeconds, folder);
  const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: home })).sort();
  const records: TestRecord[] = [];
  for (const file of files) records.push(...(await runFiles(file, [file], timeoutSeconds, folder)));
  return records;
}

async function runFiles(
  title: string,
  patterns: readonly string[],
  timeoutSeconds: number,
  folder: string,
): Promise<TestRecord[]> {
  const output = path.join(folder, `${title.replaceAll("/", "-")}.ndjson`);
  const argv = [
    "--test",
    `--test-timeout=${timeoutSeconds * 1000}`,
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    `--test-reporter=${path.join(import.meta.dirname, "test-records.ts")}`,
    `--test-reporter-destination=${output}`,
    ...patterns,
  ];
  const status = await run(process.execPath, argv, timeoutSeconds);
  const records = existsSync(output) ? readRecords(output) : [];
  const failed = records.some(({ outcome }) => outcome === "failed");
  // A run that breaks outside of its tests must not look like one that passed.
  if (status !== 0 && !failed) records.push({ outcome: "failed", name: title, reason: `ended with status ${status}` });
  return records;
}

function readRecords(file: string): TestRecord[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.endsWith("}"))
    .map((line) => JSON.parse(line) as TestRecord);
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
