import { constants } from "node:fs";
import { access, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { DomainError, kindOf, messageOf } from "#errors/domain-error.ts";
import { run as spawnRun } from "#kernel/spawn.ts";
import { silentLogger, type Logger } from "#observability/logger.ts";
import { forgetUdpFlows } from "./conntrack.ts";
import type { HostPortMapping, HostPorts } from "./index.ts";
import { Iptables } from "./iptables.ts";
import { Nftables } from "./nftables.ts";
import type { PacketFilter, Run } from "./packet-filter.ts";
import { describeRule, keyOf, rulesOf, type HostPortRule } from "./rule.ts";

export interface HostPortDependencies {
  /** Something short that tells this daemon from others of the machine: hexadecimal digits. */
  owner: string;
  run?: Run;
  logger?: Logger;
  /** Folders to look for nft, iptables and conntrack in. */
  programDirs?: readonly string[];
  /** Lets packets with a loopback address leave the host, so that 127.0.0.1 reaches pods. Default: the sysctl of this process's namespace. */
  enableRouteLocalnet?: () => Promise<void>;
}

const systemDirs = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"];
const routeLocalnetFile = "/proc/sys/net/ipv4/conf/all/route_localnet";

/** Host ports by nftables, or by iptables where nft is missing. Nothing is done or started before the first call. */
export function createHostPorts(dependencies: HostPortDependencies): HostPorts {
  return new FilteredHostPorts(dependencies);
}

class FilteredHostPorts implements HostPorts {
  readonly #owner: string;
  readonly #run: Run;
  readonly #logger: Logger;
  readonly #programDirs: readonly string[];
  readonly #enableRouteLocalnet: () => Promise<void>;
  #filter: Promise<PacketFilter | undefined> | undefined;
  /** What is in the kernel, read once: sandbox id → its rules. */
  #known: Promise<Map<string, readonly HostPortRule[]>> | undefined;
  /** Key of a rule → the sandbox that has it or is about to. */
  readonly #holders = new Map<string, string>();
  /** The same of other daemons' pods, as last seen. */
  #foreign: ReadonlyMap<string, string> = new Map();
  #isRouteLocalnet = false;

  constructor(dependencies: HostPortDependencies) {
    this.#owner = dependencies.owner;
    this.#run = dependencies.run ?? spawnRun;
    this.#logger = dependencies.logger ?? silentLogger;
    this.#programDirs = dependencies.programDirs ?? systemDirs;
    this.#enableRouteLocalnet = dependencies.enableRouteLocalnet ?? enableRouteLocalnet;
  }

  async add(sandboxId: string, podIps: readonly string[], mappings: readonly HostPortMapping[]): Promise<void> {
    const owner = this.#owner;
    const rules = rulesOf(sandboxId, podIps, mappings).map((rule) => ({ ...rule, owner }));
    if (rules.length === 0) return this.remove(sandboxId);
    const filter = await this.#requireFilter();
    const known = await this.#load(filter);
    using claim = this.#claim(sandboxId, rules);
    if (rules.some((rule) => this.#foreign.has(keyOf(rule)))) this.#refuseForeign(rules, await this.#present(filter));
    if (rules.some((rule) => rule.family === 4)) await this.#letLoopbackOut();
    await this.#change(filter, sandboxId, rules);
    claim.keep();
    known.set(sandboxId, rules);
    await this.#forgetUdpFlows(rules);
  }

  async remove(sandboxId: string): Promise<void> {
    const filter = await this.#findFilter();
    if (filter === undefined) return;
    const known = await this.#load(filter);
    if (!known.has(sandboxId)) return;
    await this.#change(filter, sandboxId, []);
    this.#forget(known, sandboxId);
  }

  async sweep(isValid: (sandboxId: string) => boolean): Promise<void> {
    const filter = await this.#findFilter();
    if (filter === undefined) return;
    const known = await this.#load(filter);
    // A list of now: pods that come while ports are closed are not to be swept.
    const stale = Array.from(known.keys()).filter((id) => !isValid(id));
    for (const sandboxId of stale) await this.remove(sandboxId);
  }

  /** Puts `rules` in the place of what a sandbox has. */
  async #change(filter: PacketFilter, sandboxId: string, rules: readonly HostPortRule[]): Promise<void> {
    const known = await this.#load(filter);
    try {
      await filter.change(known.get(sandboxId) ?? [], rules);
    } catch (error) {
      if (kindOf(error) !== "aborted") throw error;
      // Somebody else flushed or edited the packet filter: go by what is there, and put back what other pods lost.
      const present = await this.#present(filter);
      this.#refuseForeign(rules, present);
      const keys = new Set(present.map(keyOf));
      const isLost = (rule: HostPortRule): boolean => rule.sandboxId !== sandboxId && !keys.has(keyOf(rule));
      const lost = [...known.values()].flat().filter(isLost);
      await filter.change(
        present.filter((rule) => rule.sandboxId === sandboxId),
        [...rules, ...lost],
      );
    }
  }

  /** All rules that are there; those of other daemons are remembered to be refused. */
  async #present(filter: PacketFilter): Promise<HostPortRule[]> {
    const present = await filter.list();
    const foreign = present.filter((rule) => !this.#isOwn(rule));
    this.#foreign = new Map(foreign.map((rule) => [keyOf(rule), rule.sandboxId]));
    return present;
  }

  /** Rules without a mark are taken for own ones, as if one daemon were the only one: nobody else would ever remove them. */
  #isOwn({ owner }: HostPortRule): boolean {
    return owner === undefined || owner === this.#owner;
  }

  #refuseForeign(rules: readonly HostPortRule[], present: readonly HostPortRule[]): void {
    const wanted = new Map(rules.map((rule) => [keyOf(rule), rule]));
    const taken = present.find((rule) => !this.#isOwn(rule) && wanted.has(keyOf(rule)));
    if (taken === undefined) return;
    const pod = `pod sandbox ${taken.sandboxId} of another berth (${taken.owner})`;
    throw new DomainError("already-exists", `host port ${describeRule(taken)} is in use by ${pod}`);
  }

  /** Reserves the ports, so that two pods cannot get one; given back unless kept. */
  #claim(sandboxId: string, rules: readonly HostPortRule[]): Disposable & { keep(): void } {
    for (const rule of rules) {
      const holder = this.#holders.get(keyOf(rule));
      if (holder !== undefined && holder !== sandboxId)
        throw new DomainError("already-exists", `host port ${describeRule(rule)} is in use by pod sandbox ${holder}`);
    }
    const fresh = rules.filter((rule) => !this.#holders.has(keyOf(rule)));
    for (const rule of fresh) this.#holders.set(keyOf(rule), sandboxId);
    let isKept = false;
    return {
      keep: () => {
        isKept = true;
        const kept = new Set(rules.map(keyOf));
        for (const [key, holder] of this.#holders)
          if (holder === sandboxId && !kept.has(key)) this.#holders.delete(key);
      },
      [Symbol.dispose]: () => {
        if (!isKept) for (const rule of fresh) this.#holders.delete(keyOf(rule));
      },
    };
  }

  #forget(known: Map<string, readonly HostPortRule[]>, sandboxId: string): void {
    for (const rule of known.get(sandboxId) ?? []) this.#holders.delete(keyOf(rule));
    known.delete(sandboxId);
  }

  #load(filter: PacketFilter): Promise<Map<string, readonly HostPortRule[]>> {
    this.#known ??= this.#list(filter).catch((error: unknown) => {
      this.#known = undefined;
      throw error;
    });
    return this.#known;
  }

  async #list(filter: PacketFilter): Promise<Map<string, readonly HostPortRule[]>> {
    const rules = (await this.#present(filter)).filter((rule) => this.#isOwn(rule));
    for (const rule of rules) this.#holders.set(keyOf(rule), rule.sandboxId);
    return Map.groupBy(rules, (rule) => rule.sandboxId);
  }

  async #requireFilter(): Promise<PacketFilter> {
    const filter = await this.#findFilter();
    if (filter !== undefined) return filter;
    const message = "host ports need a CNI plugin with the portMappings capability, or nft or iptables; none is there";
    throw new DomainError("failed-precondition", message, { facts: { directories: this.#programDirs } });
  }

  // Not remembered while there is none: it may be installed later.
  async #findFilter(): Promise<PacketFilter | undefined> {
    this.#filter ??= this.#chooseFilter();
    const filter = await this.#filter;
    if (filter === undefined) this.#filter = undefined;
    return filter;
  }

  async #chooseFilter(): Promise<PacketFilter | undefined> {
    const nft = await this.#findProgram("nft");
    const iptables = await this.#findProgram("iptables-restore");
    const byIptables = iptables === undefined ? undefined : new Iptables(path.dirname(iptables), this.#run);
    if (nft === undefined) return byIptables;
    const byNftables = new Nftables(nft, this.#run);
    if (byIptables === undefined || (await this.#works(byNftables))) return byNftables;
    return byIptables;
  }

  // A kernel may lack what an installed program needs.
  async #works(filter: PacketFilter): Promise<boolean> {
    try {
      await filter.list();
      return true;
    } catch (error) {
      this.#logger.warn(`host ports cannot use ${filter.name}`, { error: messageOf(error) });
      return false;
    }
  }

  async #findProgram(name: string): Promise<string | undefined> {
    for (const directory of this.#programDirs) {
      const file = path.join(directory, name);
      if (await isExecutable(file)) return file;
    }
    return undefined;
  }

  async #letLoopbackOut(): Promise<void> {
    if (this.#isRouteLocalnet) return;
    try {
      await this.#enableRouteLocalnet();
      this.#isRouteLocalnet = true;
    } catch (error) {
      this.#logger.warn("host ports will not answer on 127.0.0.1", { error: messageOf(error) });
    }
  }

  async #forgetUdpFlows(rules: readonly HostPortRule[]): Promise<void> {
    if (!rules.some((rule) => rule.protocol === "udp")) return;
    const conntrack = await this.#findProgram("conntrack");
    const problems =
      conntrack === undefined
        ? ["conntrack is not installed"]
        : await forgetUdpFlows(conntrack, rules, this.#run).catch((error: unknown) => [messageOf(error)]);
    if (problems.length > 0) this.#logger.warn("UDP flows to new host ports may go astray for a while", { problems });
  }
}

async function enableRouteLocalnet(): Promise<void> {
  if ((await readFile(routeLocalnetFile, "utf8")).trim() !== "1") await writeFile(routeLocalnetFile, "1");
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
