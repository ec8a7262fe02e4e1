import { readFile } from "node:fs/promises";
import { DomainError } from "#errors/domain-error.ts";
import type { run as runProcess } from "#kernel/spawn.ts";
import { fileExists } from "#lib/file-exists.ts";
import type { Logger } from "#observability/logger.ts";
import { apparmorProfileText, builtInApparmorProfile } from "./apparmor-profile.ts";
import type { HostFacts } from "./index.ts";

const loadedProfilesFile = "/sys/kernel/security/apparmor/profiles";
const unconfined = "unconfined";
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

/** What `Security.defaultApparmorProfile` promises. Warns once when profiles cannot be loaded. */
export function defaultApparmorProfile(
  facts: Pick<HostFacts, "apparmor">,
  dependencies: { run: typeof runProcess; logger: Logger },
): (name: string) => Promise<string> {
  let warned = false;
  return async (name) => {
    if (!facts.apparmor.enabled) return "";
    if (name === "" || name === unconfined || (await isProfileLoaded(name))) return name;
    if (name !== builtInApparmorProfile) {
      throw new DomainError(
        "failed-precondition",
        `apparmor_profile = "${name}" of the configuration cannot be used: no such profile is loaded`,
      );
    }
    if (await loadBuiltIn(dependencies.run)) {
      dependencies.logger.info("loaded the AppArmor profile of containers", { profile: name });
      return name;
    }
    if (!warned) dependencies.logger.warn("containers run without AppArmor: there is no apparmor_parser");
    warned = true;
    return "";
  };
}

/**
 * Hands the built-in profile to the kernel; false when there is no apparmor_parser.
 * @throws DomainError failed-precondition when it is refused
 */
async function loadBuiltIn(run: typeof runProcess): Promise<boolean> {
  const parser = await firstExisting(parserPaths);
  if (parser === undefined) return false;
  const text = apparmorProfileText(builtInApparmorProfile, {
    hasTunables: (await firstExisting(["/etc/apparmor.d/tunables/global"])) !== undefined,
    hasBaseAbstraction: (await firstExisting(["/etc/apparmor.d/abstractions/base"])) !== undefined,
  });
  const argv = [parser, "--replace", "--skip-cache"];
  const result = await run(argv, { input: text, timeoutMs: 30_000 });
  if (result.exitCode === 0) return true;
  const stderr = result.stderr.toString("utf8").trim();
  throw new DomainError(
    "failed-precondition",
    `apparmor_parser refuses the profile ${builtInApparmorProfile}: ${stderr || `it exited with ${result.exitCode}`}`,
    { facts: { argv, exitCode: result.exitCode, stderr } },
  );
}

async function firstExisting(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    if (await fileExists(file)) return file;
  }
  return undefined;
}
