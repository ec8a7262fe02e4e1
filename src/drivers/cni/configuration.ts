import { DomainError, messageOf } from "#errors/domain-error.ts";
import { isJsonObject, type JsonObject } from "./json.ts";
import { impliedVersion, isSupportedVersion, supportedVersions, type CniVersion } from "./version.ts";

/** One plugin of a network: `fields` is the configuration as written, passed on to the plugin. */
export interface PluginConfiguration {
  type: string;
  /** Capabilities that are declared and not switched off. */
  capabilities: ReadonlySet<string>;
  fields: JsonObject;
}

/** A network configuration (CNI spec, section 1) as it stands in a file. */
export interface NetworkConfiguration {
  name: string;
  /** Versions of the specification that it may be used with; the runtime chooses one. Never empty. */
  cniVersions: CniVersion[];
  disableCheck: boolean;
  disableGC: boolean;
  loadOnlyInlinedPlugins: boolean;
  plugins: PluginConfiguration[];
}

/** A configuration with its version chosen and all its plugins in: what attachments are made with. */
export interface ResolvedNetwork {
  name: string;
  cniVersion: CniVersion;
  disableCheck: boolean;
  disableGC: boolean;
  plugins: PluginConfiguration[];
}

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/**
 * Reads a configuration list, or a single plugin's configuration (the form before spec 1.0.0), which becomes a list of one.
 * `fallbackName` names a single plugin's configuration that has no name.
 * @throws DomainError invalid-argument saying what is wrong
 */
export function parseConfiguration(text: string, fallbackName: string): NetworkConfiguration {
  const raw = parseObject(text);
  const isList = raw["plugins"] !== undefined || raw["type"] === undefined;
  const name = raw["name"] ?? (isList ? undefined : fallbackName);
  if (typeof name !== "string" || name === "") throw invalid("it has no name");
  if (!namePattern.test(name)) throw invalid(`the name ${JSON.stringify(name)} has characters that are not allowed`);
  const loadOnlyInlinedPlugins = isList ? readBoolean(raw, "loadOnlyInlinedPlugins") : true;
  if (isList && loadOnlyInlinedPlugins && raw["plugins"] === undefined)
    throw invalid("loadOnlyInlinedPlugins is true and there is no plugins key");
  return {
    name,
    cniVersions: readVersions(raw),
    disableCheck: readBoolean(raw, "disableCheck"),
    disableGC: readBoolean(raw, "disableGC"),
    loadOnlyInlinedPlugins,
    plugins: isList ? readPlugins(raw["plugins"]) : [readPlugin(raw)],
  };
}

/**
 * Reads one plugin's configuration, as found in the folder beside a list.
 * @throws DomainError invalid-argument saying what is wrong
 */
export function parsePluginConfiguration(text: string): PluginConfiguration {
  return readPlugin(parseObject(text));
}

/** The network as a configuration list that any CNI runtime reads and that needs no other file. */
export function formatConfiguration(network: ResolvedNetwork): string {
  return JSON.stringify({
    cniVersion: network.cniVersion,
    name: network.name,
    disableCheck: network.disableCheck,
    disableGC: network.disableGC,
    loadOnlyInlinedPlugins: true,
    plugins: network.plugins.map((plugin) => plugin.fields),
  });
}

function parseObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DomainError("invalid-argument", `it is no JSON: ${messageOf(error)}`, { cause: error });
  }
  if (!isJsonObject(value)) throw invalid("it is no JSON object");
  return value;
}

function readVersions(raw: JsonObject): CniVersion[] {
  const declared: unknown[] = [];
  const list = raw["cniVersions"];
  if (list !== undefined) {
    if (!Array.isArray(list)) throw invalid("cniVersions is no list");
    declared.push(...list);
  }
  const single = raw["cniVersion"];
  if (single !== undefined && single !== "") declared.push(single);
  if (declared.length === 0) return [impliedVersion];
  const known: CniVersion[] = [];
  for (const version of declared) {
    if (typeof version !== "string") throw invalid(`the CNI version ${JSON.stringify(version)} is no string`);
    if (isSupportedVersion(version)) known.push(version);
  }
  if (known.length === 0)
    throw invalid(`CNI version ${declared.join(", ")} is not supported (${supportedVersions.join(", ")} are)`);
  return known;
}

function readPlugins(list: unknown): PluginConfiguration[] {
  if (list === undefined) return [];
  if (!Array.isArray(list)) throw invalid("plugins is no list");
  if (list.length === 0) throw invalid("plugins is empty");
  return list.map((plugin: unknown, index) => {
    if (!isJsonObject(plugin)) throw invalid(`plugin ${index} is no JSON object`);
    return readPlugin(plugin);
  });
}

function readPlugin(fields: JsonObject): PluginConfiguration {
  const type = fields["type"];
  if (typeof type !== "string" || type === "") throw invalid("a plugin has no type");
  // The type becomes a file name in the plugin directories: it must not lead out of them.
  if (/[/\\\0]/.test(type) || type === "." || type === "..")
    throw invalid(`the plugin type ${JSON.stringify(type)} is no file name`);
  return { type, capabilities: readCapabilities(fields["capabilities"], type), fields };
}

function readCapabilities(raw: unknown, type: string): ReadonlySet<string> {
  if (raw === undefined || raw === null) return new Set();
  if (!isJsonObject(raw)) throw invalid(`the capabilities of plugin ${type} are no JSON object`);
  return new Set(Object.keys(raw).filter((capability) => raw[capability] === true));
}

// The reference library takes the words "true" and "false" as well, so configurations with them exist.
function readBoolean(raw: JsonObject, key: string): boolean {
  const value = raw[key];
  if (value === undefined) return false;
  if (typeof value === "boolean") return value;
  const word = typeof value === "string" ? value.toLowerCase() : undefined;
  if (word === "true") return true;
  if (word === "false") return false;
  throw invalid(`${key} is neither true nor false`);
}

function invalid(message: string): DomainError {
  return new DomainError("invalid-argument", message);
}
