import { takeLaunchEnvironment } from "#lib/launch-environment.ts";

takeLaunchEnvironment();

// Whoever reads the output may have seen enough: `berth config | head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  const { run } = await import("#cli/index.ts");
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  const { DomainError, messageOf } = await import("#errors/domain-error.ts");
  const failures: unknown[] = error instanceof AggregateError ? error.errors : [error];
  const isExpected = failures.every((failure) => failure instanceof DomainError);
  const text = isExpected || !(error instanceof Error) ? messageOf(error) : (error.stack ?? error.message);
  process.stderr.write(`berth: ${text}\n`);
  process.exitCode = error instanceof DomainError && error.kind === "invalid-argument" ? 2 : 1;
}
