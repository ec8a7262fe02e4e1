import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { applyAssignments } from "./apply-assignments.ts";
import type { Assignment, ConfigWarning } from "./assignment.ts";
import { environmentAssignments, flagAssignments, type FlagValues } from "./flags.ts";
import { normaliseConfig } from "./normalise-config.ts";
import type { Config } from "./options.ts";
import { type FileContent, readConfigFile } from "./toml-file.ts";
import { validateConfig } from "./validate-config.ts";
import { compatibilityWarnings } from "./compatibility-warnings.ts";

export const defaultConfigFile = "/etc/crio/crio.conf";
export const defaultConfigDirectory = "/etc/crio/crio.conf.d";

/** Where the configuration comes from, the weakest first. */
export interface ConfigSources {
  /** Main file; "" for none. */
  file: string;
  /** The file was asked for, so that it is an error when it is missing. */
  fileIsRequired: boolean;
  /** Directory of files that are read after the main one, in lexical order; "" for none. A missing one is empty. */
  directory: string;
  environment: Readonly<Record<string, string | undefined>>;
  flags: FlagValues;
}

export interface LoadedConfig {
  config: Config;
  warnings: ConfigWarning[];
  /** The files that were read, in order. */
  files: string[];
}

/**
 * Reads, merges and checks the configuration: defaults, main file, directory, environment, flags; what comes later wins.
 * @throws DomainError invalid-argument that names the source (file:line:column, variable or flag), what was found and
 *   what is allowed; not-found for a missing file that was asked for
 */
export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const files = await configFiles(sources);
  const contents: FileContent[] = [];
  for (const file of files) contents.push(await readConfigFile(file));
  const assignments: Assignment[] = [
    ...contents.flatMap((content) => content.assignments),
    ...environmentAssignments(sources.environment),
    ...flagAssignments(sources.flags),
  ];
  const merged = applyAssignments(assignments);
  const { config, warnings } = validateConfig(merged, assignments);
  return {
    config: normaliseConfig(config),
    warnings: [...contents.flatMap((content) => content.warnings), ...compatibilityWarnings(assignments), ...warnings],
    files,
  };
}

async function configFiles(sources: ConfigSources): Promise<string[]> {
  const main = sources.file !== "" && (sources.fileIsRequired || (await isFile(sources.file))) ? [sources.file] : [];
  const additions = sources.directory === "" ? [] : await filesBeneath(sources.directory);
  return [...main, ...additions];
}

/** All files of a directory and the directories in it, in lexical order at each level; symbolic links to files count. */
async function filesBeneath(directory: string): Promise<string[]> {
  let entries;
  try {
    entries = await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw new DomainError("internal", `configuration directory ${directory} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
  entries.sort((left, right) => Buffer.compare(Buffer.from(left.name), Buffer.from(right.name)));
  const files: string[] = [];
  for (const entry of entries) {
    const entryPath = path.join(directory, entry.name);
    if (entry.isDirectory()) files.push(...(await filesBeneath(entryPath)));
    else if (await isFile(entryPath)) files.push(entryPath);
  }
  return files;
}

async function isFile(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return false;
    throw new DomainError("internal", `configuration file ${file} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
