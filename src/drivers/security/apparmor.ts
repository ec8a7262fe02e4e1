import { access, readFile } from "node:fs/promises";
import { DomainError } from "#errors/domain-error.ts";
import type { run as runProcess } from "#kernel/spawn.ts";
import type { Logger } from "#observability/logger.ts";
import { apparmorProfileText } from "./apparmor-profile.ts";

const loadedProfilesFile = "/sys/kernel/security/apparmor/profiles";
const parserPaths = ["/usr/sbin/apparmor_parser", "/sbin/apparmor_parser", "/usr/bin/apparmor_parser"];

/** Names in the kernel's list, whose lines are `name (mode)`. */
export function profileNames(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/ \([a-z]+\)$/, ""))
    .filter((name) => name !== "");
}

export async function isProfileLoaded(name: string): Promise<boolean> {
  const text = await readFile(loadedProfilesFile, "utf8").catch(() => "");
  return profileNames(text).includes(name);
}

/**
 * Hands the built-in profile to the kernel under `name` through apparmor_parser, unless it has one of that name.
 * @throws DomainError failed-precondition when there is no apparmor_parser or it refuses the profile
 */
export async function loadProfile(name: string, run: typeof runProcess, logger: Logger): Promise<void> {
  if (!/^[\w.-]+$/.test(name))
    throw new DomainError("invalid-argument", `${JSON.stringify(name)} is no name for an AppArmor profile`);
  if (await isProfileLoaded(name)) return;
  const parser = await firstExisting(parserPaths);
  if (parser === undefined)
    throw new DomainError(
      "failed-precondition",
      `the AppArmor profile ${name} is not loaded, and there is no apparmor_parser to load it`,
    );
  const text = apparmorProfileText(name, {
    hasTunables: (await firstExisting(["/etc/apparmor.d/tunables/global"])) !== undefined,
    hasBaseAbstraction: (await firstExisting(["/etc/apparmor.d/abstractions/base"])) !== undefined,
  });
  const argv = [parser, "--replace", "--skip-cache"];
  const result = await run(argv, { input: text, timeoutMs: 30_000 });
  if (result.exitCode === 0) {
    logger.info("loaded the AppArmor profile of containers", { profile: name });
    return;
  }
  const stderr = result.stderr.toString("utf8").trim();
  throw new DomainError("failed-precondition", `apparmor_parser refuses the profile ${name}: ${stderr}`, {
    facts: { argv, exitCode: result.exitCode, stderr },
  });
}

async function firstExisting(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    const exists = await access(file).then(
      () => true,
      () => false,
    );
    if (exists) return file;
  }
  return undefined;
}
