import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import {
  parseConfiguration,
  parsePluginConfiguration,
  type NetworkConfiguration,
  type PluginConfiguration,
  type ResolvedNetwork,
} from "./configuration.ts";
import type { PluginPrograms } from "./plugin-programs.ts";
import { highestVersion, type CniVersion } from "./version.ts";

/** What a look at the configuration directory found. */
export interface DirectoryContent {
  /** The network that pods join; undefined when no file is usable. */
  network: ResolvedNetwork | undefined;
  /** One sentence per file (or the directory) that cannot be used, in the order of the files. */
  problems: string[];
}

const extensions = [".conf", ".conflist", ".json"];

/**
 * Reads a configuration directory: the first usable file in lexical order wins, or the first that holds the network called
 * `defaultNetwork` when that is not empty. Never rejects: what is wrong is in `problems`.
 */
export async function readConfigurationDirectory(
  directory: string,
  defaultNetwork: string,
  programs: PluginPrograms,
): Promise<DirectoryContent> {
  const problems: string[] = [];
  let network: ResolvedNetwork | undefined;
  for (const file of await listFiles(directory, extensions, problems)) {
    try {
      const configuration = await readConfiguration(file);
      const isWanted = defaultNetwork === "" || configuration.name === defaultNetwork;
      if (network === undefined && isWanted) network = await resolveNetwork(configuration, programs);
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) problems.push(`${path.basename(file)}: ${messageOf(error)}`);
    }
  }
  return { network, problems };
}

async function readConfiguration(file: string): Promise<NetworkConfiguration> {
  const configuration = parseConfiguration(await readFile(file, "utf8"), path.basename(file));
  const plugins = [...configuration.plugins];
  if (!configuration.loadOnlyInlinedPlugins)
    plugins.push(...(await readPluginFolder(path.join(path.dirname(file), configuration.name))));
  if (plugins.length === 0) throw new DomainError("invalid-argument", "it has no plugins");
  return { ...configuration, plugins };
}

/** The plugins that others added to a network by files in the folder of its name (CNI spec 1.1.0, section 1). */
async function readPluginFolder(folder: string): Promise<PluginConfiguration[]> {
  const problems: string[] = [];
  const files = await listFiles(folder, [".conf"], problems);
  if (problems.length > 0) throw new DomainError("invalid-argument", problems.join("; "));
  return Promise.all(
    files.map(async (file) => {
      try {
        return parsePluginConfiguration(await readFile(file, "utf8"));
      } catch (error) {
        throw new DomainError("invalid-argument", `${file}: ${messageOf(error)}`, { cause: error });
      }
    }),
  );
}

/** Chooses the highest version that the configuration allows and all its plugins speak. */
async function resolveNetwork(configuration: NetworkConfiguration, programs: PluginPrograms): Promise<ResolvedNetwork> {
  const types = [...new Set(configuration.plugins.map((plugin) => plugin.type))];
  const spoken = new Map<string, ReadonlySet<CniVersion>>();
  for (const type of types) spoken.set(type, await programs.versions(await programs.find(type)));
  const cniVersion = highestVersion(configuration.cniVersions, (version) =>
    types.every((type) => spoken.get(type)?.has(version) === true),
  );
  if (cniVersion === undefined) throw unspoken(configuration.cniVersions, spoken);
  const { name, disableCheck, disableGC, plugins } = configuration;
  return { name, cniVersion, disableCheck, disableGC, plugins };
}

function unspoken(wanted: readonly CniVersion[], spoken: ReadonlyMap<string, ReadonlySet<CniVersion>>): DomainError {
  const culprits = [...spoken].filter(([, versions]) => !wanted.some((version) => versions.has(version)));
  const names = (culprits.length > 0 ? culprits : [...spoken]).map(([type]) => type).join(", ");
  return new DomainError("invalid-argument", `CNI plugin ${names} does not support CNI version ${wanted.join(", ")}`);
}

async function listFiles(directory: string, endings: readonly string[], problems: string[]): Promise<string[]> {
  try {
    const names = await readdir(directory);
    return names
      .filter((name) => endings.includes(path.extname(name)))
      .sort()
      .map((name) => path.join(directory, name));
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) problems.push(`${directory}: ${messageOf(error)}`);
    return [];
  }
}
