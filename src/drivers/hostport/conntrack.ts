import type { Run } from "./packet-filter.ts";
import type { HostPortRule } from "./rule.ts";

const timeoutMs = 10_000;

/**
 * Makes the kernel forget UDP flows to newly opened ports: a peer that keeps sending would otherwise go on to the place its
 * first packet went to, before the rule existed. Gives the reasons for which it could not.
 */
export async function forgetUdpFlows(conntrack: string, rules: readonly HostPortRule[], run: Run): Promise<string[]> {
  const problems: string[] = [];
  for (const rule of rules.filter((it) => it.protocol === "udp")) {
    const argv = [conntrack, "-D", "-p", "udp", "--orig-port-dst", String(rule.hostPort)];
    if (rule.hostIp !== "") argv.push("--orig-dst", rule.hostIp);
    if (rule.family === 6) argv.push("-f", "ipv6");
    const result = await run(argv, { timeoutMs, env: { LC_ALL: "C" } });
    const stderr = result.stderr.toString("utf8").trim();
    // Exit code 1 and this sentence mean that there was none.
    if (result.exitCode !== 0 && !stderr.includes("0 flow entries")) problems.push(`${argv.join(" ")}: ${stderr}`);
  }
  return problems;
}
