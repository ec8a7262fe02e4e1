import { execFileSync } from "node:child_process";

/** Takes away the masquerading that the bridge plugin set up for pods whose DEL never ran. */
export function removeMasquerading(network: string): void {
  const rules = iptables(["-w", "-t", "nat", "-S", "POSTROUTING"])
    .split("\n")
    .filter((line) => line.includes(`name: \\"${network}\\"`) || line.includes(`name: "${network}"`));
  if (rules.length === 0) return;
  const chains = new Set(
    rules.map((rule) => / -j (CNI-[0-9a-f]+)/.exec(rule)?.[1]).filter((chain) => chain !== undefined),
  );
  const changes = [
    "*nat",
    ...rules.map((rule) => rule.replace(/^-A/, "-D")),
    ...[...chains].flatMap((chain) => [`-F ${chain}`, `-X ${chain}`]),
    "COMMIT",
    "",
  ].join("\n");
  execFileSync("iptables-restore", ["-w", "--noflush"], { input: changes, stdio: ["pipe", "ignore", "pipe"] });
}

function iptables(args: string[]): string {
  return execFileSync("iptables", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
