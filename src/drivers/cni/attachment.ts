import { statfs } from "node:fs/promises";
import { DomainError } from "#errors/domain-error.ts";
import type { PluginConfiguration, ResolvedNetwork } from "./configuration.ts";
import type { JsonObject } from "./json.ts";
import type { CniCommand } from "./plugin.ts";
import type { PluginPrograms } from "./plugin-programs.ts";
import { convertResult } from "./result.ts";
import { isAtLeast } from "./version.ts";

/** A pod's place in one network: the parameters that all commands of the attachment share (CNI spec, section 3). */
export interface Attachment {
  containerId: string;
  ifName: string;
  netns: string;
  cniArgs: [name: string, value: string][];
  capabilityArgs: JsonObject;
}

/** Runs the plugins of a network on one attachment. One process per plugin and command. */
export class AttachmentCommands {
  readonly #programs: PluginPrograms;
  readonly #network: ResolvedNetwork;
  readonly #attachment: Attachment;
  readonly #pod: string;
  readonly #deadlineMs: number;

  /** @param timeoutMs for the whole list of plugins */
  constructor(
    programs: PluginPrograms,
    network: ResolvedNetwork,
    attachment: Attachment,
    options: { pod: string; timeoutMs: number },
  ) {
    this.#programs = programs;
    this.#network = network;
    this.#attachment = attachment;
    this.#pod = options.pod;
    this.#deadlineMs = performance.now() + options.timeoutMs;
  }

  /** ADD in order, each plugin given the result of the one before. Stops at the first failure and undoes nothing. */
  async add(): Promise<JsonObject> {
    let result: JsonObject | undefined;
    for (const plugin of this.#network.plugins) {
      const answer = await this.#call("ADD", plugin, result);
      if (answer === undefined)
        throw new DomainError("internal", `CNI plugin ${plugin.type} (network ${this.#network.name}) gave no result`, {
          facts: { plugin: plugin.type, network: this.#network.name, pod: this.#pod },
        });
      result = convertResult(answer, this.#network.cniVersion);
    }
    if (result === undefined) throw new DomainError("internal", `network ${this.#network.name} has no plugins`);
    return result;
  }

  /** DEL in reverse order; `result` is what ADD ended with, when known. Stops at the first failure. */
  async delete(result: JsonObject | undefined): Promise<void> {
    const netns = (await isNetworkNamespace(this.#attachment.netns)) ? this.#attachment.netns : "";
    for (const plugin of this.#network.plugins.toReversed()) {
      try {
        await this.#call("DEL", plugin, this.#previous(result), netns);
      } catch (error) {
        // Code 3: the plugin does not know the container, so it has nothing to clean up (CNI spec, section 5).
        if (!(error instanceof DomainError && error.facts["cniCode"] === 3)) throw error;
      }
    }
  }

  /** CHECK in order, unless the configuration disables it or its version has none. */
  async check(result: JsonObject | undefined): Promise<void> {
    if (this.#network.disableCheck || !isAtLeast(this.#network.cniVersion, "0.4.0")) return;
    for (const plugin of this.#network.plugins) await this.#call("CHECK", plugin, this.#previous(result));
  }

  // Results reach DEL and CHECK from 0.4.0 on; the version may differ from the one at ADD when others wrote the cache.
  #previous(result: JsonObject | undefined): JsonObject | undefined {
    if (result === undefined || !isAtLeast(this.#network.cniVersion, "0.4.0")) return undefined;
    return convertResult(result, this.#network.cniVersion);
  }

  #call(
    command: CniCommand,
    plugin: PluginConfiguration,
    prevResult: JsonObject | undefined,
    netns = this.#attachment.netns,
  ): Promise<JsonObject | undefined> {
    const { containerId, ifName, cniArgs } = this.#attachment;
    return this.#programs.call({
      command,
      type: plugin.type,
      input: pluginInput(this.#network, plugin, prevResult, this.#attachment.capabilityArgs),
      variables: {
        CNI_CONTAINERID: containerId,
        CNI_NETNS: netns,
        CNI_IFNAME: ifName,
        CNI_ARGS: cniArgs.map(([name, value]) => `${name}=${value}`).join(";"),
      },
      timeoutMs: this.#deadlineMs - performance.now(),
      network: this.#network.name,
      pod: this.#pod,
    });
  }
}

/**
 * What a plugin reads on its standard input (CNI spec, section 3). `capabilities` stays in, against the letter of the
 * specification, since the reference library leaves it and plugins that delegate read it.
 */
function pluginInput(
  network: ResolvedNetwork,
  plugin: PluginConfiguration,
  prevResult: JsonObject | undefined,
  capabilityArgs: JsonObject,
): JsonObject {
  const declared = Object.entries(capabilityArgs).filter(([capability]) => plugin.capabilities.has(capability));
  return {
    ...plugin.fields,
    name: network.name,
    cniVersion: network.cniVersion,
    ...(declared.length > 0 ? { runtimeConfig: Object.fromEntries(declared) } : {}),
    ...(prevResult === undefined ? {} : { prevResult }),
  };
}

const nsfsMagic = 0x6e736673;

// Plugins tolerate an empty CNI_NETNS on DEL, and a path that does not exist, but not a file that a namespace was once
// pinned to.
async function isNetworkNamespace(file: string): Promise<boolean> {
  if (file === "") return false;
  try {
    return (await statfs(file)).type === nsfsMagic;
  } catch {
    return false;
  }
}
