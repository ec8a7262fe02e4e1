import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import path from "node:path";
import { DomainError } from "#errors/domain-error.ts";
import type { Logger } from "#observability/logger.ts";
import type { JsonObject } from "./json.ts";
import { runPlugin, type CniCommand, type Run } from "./plugin.ts";
import { impliedVersion, isSupportedVersion, supportedVersions, type CniVersion } from "./version.ts";

const probeTimeoutMs = 10_000;

/** The programs in the plugin directories, and what versions of the specification each speaks. */
export class PluginPrograms {
  readonly directories: readonly string[];
  readonly #run: Run;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #logger: Logger;
  /** Path → the file it was when asked, and its answer. A replaced program is asked again. */
  readonly #answers = new Map<string, { identity: string; versions: ReadonlySet<CniVersion> }>();

  constructor(directories: readonly string[], run: Run, environment: Readonly<Record<string, string>>, logger: Logger) {
    this.directories = directories;
    this.#logger = logger;
    this.#run = run;
    this.#environment = environment;
  }

  /**
   * Path of the program of a plugin type, from the first directory that has it.
   * @throws DomainError unavailable when no directory has an executable file of that name
   */
  async find(type: string): Promise<string> {
    for (const directory of this.directories) {
      const file = path.join(directory, type);
      if (await isExecutable(file)) return file;
    }
    throw new DomainError("unavailable", `CNI plugin ${type} is not in ${this.directories.join(", ")}`, {
      facts: { plugin: type },
    });
  }

  /**
   * Versions that a program speaks, by VERSION. Asked once per program file.
   * @throws DomainError unavailable or internal when it does not answer
   */
  async versions(file: string): Promise<ReadonlySet<CniVersion>> {
    const { ino, size, mtimeMs } = await stat(file);
    const identity = `${ino}-${size}-${mtimeMs}`;
    const known = this.#answers.get(file);
    if (known?.identity === identity) return known.versions;
    const versions = readVersions(await this.#askVersion(file));
    this.#answers.set(file, { identity, versions });
    return versions;
  }

  /** Executes a plugin once; see `runPlugin`. Adds CNI_PATH. */
  async call(call: {
    command: CniCommand;
    type: string;
    input: JsonObject;
    variables: Record<string, string>;
    timeoutMs: number;
    network: string;
    pod?: string;
  }): Promise<JsonObject | undefined> {
    const file = await this.find(call.type);
    const variables = { ...call.variables, CNI_PATH: this.directories.join(":") };
    return runPlugin({ ...call, path: file, variables }, this.#run, this.#environment, this.#logger);
  }

  // Plugins from before spec 0.3 refuse every command without these variables, VERSION too.
  #askVersion(file: string): Promise<JsonObject | undefined> {
    const variables = { CNI_CONTAINERID: "dummy", CNI_NETNS: "dummy", CNI_IFNAME: "dummy", CNI_PATH: "dummy" };
    const input = { cniVersion: supportedVersions.at(-1) };
    const call = {
      command: "VERSION",
      path: file,
      input,
      variables,
      timeoutMs: probeTimeoutMs,
      network: "any",
    } as const;
    return runPlugin(call, this.#run, this.#environment, this.#logger);
  }
}

function readVersions(answer: JsonObject | undefined): ReadonlySet<CniVersion> {
  const list = answer?.["supportedVersions"];
  if (!Array.isArray(list)) return new Set([impliedVersion]);
  return new Set(list.filter((it): it is CniVersion => typeof it === "string" && isSupportedVersion(it)));
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}
