import { filterFailure, runFilter, type PacketFilter, type Run } from "./packet-filter.ts";
import { markOf, parseMark, type HostPortRule } from "./rule.ts";

const dnatChain = "BERTH-HOSTPORTS";
const masqueradeChain = "BERTH-HOSTPORTS-MASQ";
const mark = "berth:";

interface Frame {
  table: "nat" | "mangle";
  /** Chains of ours to make, and rules that lead into them. */
  chains: readonly string[];
  rules: readonly string[];
}

const natFrame: Frame = {
  table: "nat",
  chains: [dnatChain, masqueradeChain],
  rules: [
    `-A PREROUTING -m addrtype --dst-type LOCAL -j ${dnatChain}`,
    `-A OUTPUT -m addrtype --dst-type LOCAL -j ${dnatChain}`,
    `-A POSTROUTING -j ${masqueradeChain}`,
  ],
};
const frames: Readonly<Record<4 | 6, readonly Frame[]>> = {
  4: [
    {
      ...natFrame,
      rules: [
        ...natFrame.rules,
        `-A ${masqueradeChain} -s 127.0.0.0/8 ! -o lo -m conntrack --ctstate DNAT -j MASQUERADE`,
      ],
    },
    { table: "mangle", chains: [], rules: ["-A PREROUTING -d 127.0.0.0/8 ! -i lo -j DROP"] },
  ],
  6: [natFrame],
};

/**
 * Rules in chains of our own in the nat table, for machines without nft: two rules per port, each marked with the daemon
 * and the pod in a comment. The rest is as `Nftables` has it.
 */
export class Iptables implements PacketFilter {
  readonly name = "iptables";
  /** Folder with iptables-save, iptables-restore and their ip6 twins. */
  readonly #directory: string;
  readonly #run: Run;
  /** What iptables-save last said per family; undefined when it has to be asked before the next change. */
  readonly #saved = new Map<4 | 6, string>();

  constructor(directory: string, run: Run) {
    this.#directory = directory;
    this.#run = run;
  }

  async list(): Promise<HostPortRule[]> {
    // A machine without IPv6 has no rules there, and need not have the programs.
    const saved6 = await this.#save(6).catch(() => "");
    return [...parseSaved(4, await this.#save(4)), ...parseSaved(6, saved6)];
  }

  async change(remove: readonly HostPortRule[], add: readonly HostPortRule[]): Promise<void> {
    await this.#changeFamily(4, remove, add);
    try {
      await this.#changeFamily(6, remove, add);
    } catch (error) {
      await this.#changeFamily(4, add, remove);
      throw error;
    }
  }

  async #changeFamily(family: 4 | 6, remove: readonly HostPortRule[], add: readonly HostPortRule[]): Promise<void> {
    const isOfFamily = (rule: HostPortRule): boolean => rule.family === family;
    const lines = [
      ...remove.filter(isOfFamily).flatMap((rule) => ruleLines("-D", rule)),
      ...add.filter(isOfFamily).flatMap((rule) => ruleLines(rule.hostIp === "" ? "-A" : "-I", rule)),
    ];
    if (lines.length === 0) return;
    const saved = this.#saved.get(family) ?? (await this.#save(family));
    const argv = [this.#program(family, "restore"), "--noflush", "-w", "5"];
    const result = await runFilter(this.#run, argv, restoreInput(family, saved, lines));
    if (result.exitCode !== 0) {
      this.#saved.delete(family);
      throw filterFailure(argv, result, "host ports cannot be changed");
    }
    this.#saved.set(
      family,
      frames[family].flatMap((frame) => [...frame.chains.map(chainLine), ...frame.rules]).join("\n"),
    );
  }

  async #save(family: 4 | 6): Promise<string> {
    const argv = [this.#program(family, "save")];
    const result = await runFilter(this.#run, argv);
    if (result.exitCode !== 0) throw filterFailure(argv, result, "host ports cannot be listed");
    const saved = result.stdout.toString("utf8");
    this.#saved.set(family, saved);
    return saved;
  }

  #program(family: 4 | 6, verb: "save" | "restore"): string {
    return `${this.#directory}/${family === 6 ? "ip6tables" : "iptables"}-${verb}`;
  }
}

// A chain that is declared is emptied, even with --noflush: -N fails instead, should another daemon have made it since.
function restoreInput(family: 4 | 6, saved: string, lines: readonly string[]): string {
  const present = new Set(saved.split("\n").map((line) => line.replace(/ \[\d+:\d+\]$/, " [0:0]")));
  return frames[family]
    .map((frame) => {
      const chains = frame.chains.filter((chain) => !present.has(chainLine(chain))).map((chain) => `-N ${chain}`);
      const rules = frame.rules.filter((line) => !present.has(line));
      return [`*${frame.table}`, ...chains, ...rules, ...(frame.table === "nat" ? lines : []), "COMMIT", ""].join("\n");
    })
    .join("");
}

function chainLine(chain: string): string {
  return `:${chain} - [0:0]`;
}

function ruleLines(verb: "-A" | "-D" | "-I", rule: HostPortRule): [string, string] {
  const { family, protocol, hostIp, hostPort, podIp, containerPort } = rule;
  const length = family === 6 ? 128 : 32;
  const destination = hostIp === "" ? "" : `-d ${hostIp}/${length} `;
  const target = family === 6 ? `[${podIp}]:${containerPort}` : `${podIp}:${containerPort}`;
  const comment = `-m comment --comment "${mark}${markOf(rule)}"`;
  const pod = `${podIp}/${length}`;
  return [
    `${verb} ${dnatChain} ${destination}-p ${protocol} -m ${protocol} --dport ${hostPort} ${comment} -j DNAT --to-destination ${target}`,
    `${verb} ${masqueradeChain} -s ${pod} -d ${pod} -p ${protocol} -m ${protocol} --dport ${containerPort} ${comment} -j MASQUERADE`,
  ];
}

/** Reads the rules of ours out of what iptables-save prints. */
function parseSaved(family: 4 | 6, saved: string): HostPortRule[] {
  return saved.split("\n").flatMap((line) => {
    if (!line.startsWith(`-A ${dnatChain} `)) return [];
    const option = (name: string): string | undefined => new RegExp(` ${name} "?([^" ]+)`).exec(line)?.[1];
    const comment = option("--comment");
    const target = /^\[?([^\]]+)\]?:(\d+)$/.exec(option("--to-destination") ?? "");
    const protocol = option("-p");
    if (comment?.startsWith(mark) !== true || target?.[1] === undefined) return [];
    if (protocol !== "tcp" && protocol !== "udp" && protocol !== "sctp") return [];
    return {
      ...parseMark(comment.slice(mark.length)),
      family,
      protocol,
      hostIp: option("-d")?.replace(/\/\d+$/, "") ?? "",
      hostPort: Number(option("--dport")),
      podIp: target[1],
      containerPort: Number(target[2]),
    };
  });
}
