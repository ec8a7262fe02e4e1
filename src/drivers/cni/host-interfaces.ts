import { existsSync } from "node:fs";
import path from "node:path";
import { isJsonObject, type JsonObject } from "./json.ts";

/**
 * True when the host's side of an attachment is as the plugins' result has it: each of its interfaces is there, and in the bridge if the
 * result names one. Somebody may have taken the bridge away and made it anew since. The kernel answers from memory.
 */
export function hasHostInterfaces(result: JsonObject, classDirectory = "/sys/class/net"): boolean {
  const names = hostInterfaces(result);
  const bridges = names.filter((name) => existsSync(path.join(classDirectory, name, "bridge")));
  const isInPlace = (name: string): boolean =>
    bridges.length === 0 || bridges.includes(name)
      ? existsSync(path.join(classDirectory, name))
      : bridges.some((bridge) => existsSync(path.join(classDirectory, bridge, "brif", name)));
  return names.every(isInPlace);
}

/** Interfaces of the result that are in no sandbox (CNI spec, section 5). */
function hostInterfaces({ interfaces }: JsonObject): string[] {
  if (!Array.isArray(interfaces)) return [];
  return interfaces.flatMap((one: unknown) => {
    if (!isJsonObject(one)) return [];
    const { name, sandbox } = one;
    return typeof name === "string" && (sandbox === undefined || sandbox === "") ? [path.basename(name)] : [];
  });
}
