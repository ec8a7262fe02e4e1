import { filterFailure, runFilter, type PacketFilter, type Run } from "./packet-filter.ts";
import { markOf, parseMark, type HostPortRule } from "./rule.ts";

const table = "inet berth-hostports";

// Written as a whole before the first change of a process: what an older version left behind is replaced in the same
// transaction, elements stay.
const skeleton = `
add table ${table}
add map ${table} own4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service ; }
add map ${table} own6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service ; }
add map ${table} any4 { type inet_proto . inet_service : ipv4_addr . inet_service ; }
add map ${table} any6 { type inet_proto . inet_service : ipv6_addr . inet_service ; }
add set ${table} hairpin4 { type ipv4_addr . ipv4_addr . inet_proto . inet_service ; }
add set ${table} hairpin6 { type ipv6_addr . ipv6_addr . inet_proto . inet_service ; }
add chain ${table} hostports
add chain ${table} prerouting { type nat hook prerouting priority dstnat ; }
add chain ${table} output { type nat hook output priority -100 ; }
add chain ${table} postrouting { type nat hook postrouting priority srcnat ; }
add chain ${table} martians { type filter hook prerouting priority raw ; }
flush chain ${table} hostports
flush chain ${table} prerouting
flush chain ${table} output
flush chain ${table} postrouting
flush chain ${table} martians
add rule ${table} hostports dnat ip addr . port to ip daddr . meta l4proto . th dport map @own4
add rule ${table} hostports dnat ip6 addr . port to ip6 daddr . meta l4proto . th dport map @own6
add rule ${table} hostports dnat ip addr . port to meta l4proto . th dport map @any4
add rule ${table} hostports dnat ip6 addr . port to meta l4proto . th dport map @any6
add rule ${table} prerouting fib daddr type local jump hostports
add rule ${table} output ip6 daddr ::1 return
add rule ${table} output fib daddr type local jump hostports
add rule ${table} postrouting ip saddr . ip daddr . meta l4proto . th dport @hairpin4 ct status dnat masquerade
add rule ${table} postrouting ip6 saddr . ip6 daddr . meta l4proto . th dport @hairpin6 ct status dnat masquerade
add rule ${table} postrouting ip saddr 127.0.0.0/8 oifname != "lo" ct status dnat masquerade
add rule ${table} martians iifname != "lo" ip daddr 127.0.0.0/8 drop
`;

/**
 * Rules in a table that all berths of a network namespace share, each element marked with its daemon and pod: so none takes another's
 * port. The table has a map per family from protocol and port (and host address) to the pod, looked up once per
 * connection however many pods there are. A pod that connects to its own host port is masqueraded, or the answer would not
 * come back through the host; so is the host's loopback address. With `route_localnet` the martian chain keeps the services
 * on 127.0.0.0/8 from the neighbours.
 */
export class Nftables implements PacketFilter {
  readonly name = "nftables";
  readonly #nft: string;
  readonly #run: Run;
  #isSetUp = false;

  constructor(nft: string, run: Run) {
    this.#nft = nft;
    this.#run = run;
  }

  async list(): Promise<HostPortRule[]> {
    const argv = [this.#nft, "-j", "list", "table", ...table.split(" ")];
    const result = await runFilter(this.#run, argv);
    if (result.exitCode === 0) return parseTable(result.stdout.toString("utf8"));
    this.#isSetUp = false;
    if (result.stderr.includes("No such file or directory")) return [];
    throw filterFailure(argv, result, "host ports cannot be listed");
  }

  async change(remove: readonly HostPortRule[], add: readonly HostPortRule[]): Promise<void> {
    const argv = [this.#nft, "-f", "-"];
    const elements = [...elementLines("delete", remove), ...elementLines("add", add)].join("\n");
    const result = await runFilter(this.#run, argv, `${this.#isSetUp ? "" : skeleton}${elements}\n`);
    this.#isSetUp = result.exitCode === 0;
    if (!this.#isSetUp) throw filterFailure(argv, result, "host ports cannot be changed");
  }
}

function elementLines(verb: "add" | "delete", rules: readonly HostPortRule[]): string[] {
  return rules.flatMap((rule) => {
    const { family, podIp, protocol, containerPort } = rule;
    const hairpin = `element ${table} hairpin${family} { ${podIp} . ${podIp} . ${protocol} . ${containerPort} }`;
    // Two host ports of one container port share this element, and deleting what is not there is an error: add it first.
    const hairpins = verb === "add" ? [`add ${hairpin}`] : [`add ${hairpin}`, `delete ${hairpin}`];
    return [`${verb} element ${table} ${elementOf(rule, verb === "add")}`, ...hairpins];
  });
}

function elementOf(rule: HostPortRule, withTarget: boolean): string {
  const { family, protocol, hostIp, hostPort, podIp, containerPort } = rule;
  const map = `${hostIp === "" ? "any" : "own"}${family}`;
  const key = `${hostIp === "" ? "" : `${hostIp} . `}${protocol} . ${hostPort}`;
  const target = withTarget ? ` comment "${markOf(rule)}" : ${podIp} . ${containerPort}` : "";
  return `${map} { ${key}${target} }`;
}

/** Reads `nft -j list table`. Elements that are not of the expected form are not ours and left out. */
function parseTable(text: string): HostPortRule[] {
  const document = JSON.parse(text) as { nftables?: { map?: { name?: string; elem?: unknown } }[] };
  const maps = (document.nftables ?? []).flatMap((item) => (item.map === undefined ? [] : [item.map]));
  return maps.flatMap(({ name = "", elem }) => {
    const family = name.endsWith("6") ? 6 : 4;
    return (Array.isArray(elem) ? elem : []).flatMap((element: unknown) => parseElement(family, element));
  });
}

const protocolNames: Readonly<Record<string, HostPortRule["protocol"]>> = {
  tcp: "tcp",
  udp: "udp",
  sctp: "sctp",
  6: "tcp",
  17: "udp",
  132: "sctp",
};

interface NftConcatenation {
  concat?: unknown[];
}

interface NftElement {
  elem?: { val?: NftConcatenation; comment?: string };
}

// [{ elem: { val: { concat: [host ip?, protocol, port] }, comment } }, { concat: [pod ip, port] }]
function parseElement(family: 4 | 6, element: unknown): HostPortRule[] {
  if (!Array.isArray(element)) return [];
  const [left, right] = element as [NftElement?, NftConcatenation?];
  const key = left?.elem?.val?.concat ?? [];
  const [podIp, containerPort] = right?.concat ?? [];
  const protocol = protocolNames[String(key.at(-2))];
  const mark = left?.elem?.comment;
  if (protocol === undefined || mark === undefined) return [];
  const hostIp = key.length === 3 ? String(key[0]) : "";
  const ports = { hostPort: Number(key.at(-1)), containerPort: Number(containerPort) };
  return [{ ...parseMark(mark), family, protocol, hostIp, podIp: String(podIp), ...ports }];
}
