import { access } from "node:fs/promises";
import path from "node:path";
import { isJsonObject, type JsonObject } from "./json.ts";

/**
 * True when the host's side of an attachment is as the plugins' result has it: each of its interfaces is there, and in the bridge if the
 * result names one. Somebody may have taken the bridge away and made it anew since.
 */
export async function hasHostInterfaces(result: JsonObject, classDirectory = "/sys/class/net"): Promise<boolean> {
  const names = hostInterfaces(result);
  const bridges = await filterAsync(names, (name) => exists(path.join(classDirectory, name, "bridge")));
  const isInPlace = (name: string): Promise<boolean> =>
    bridges.length === 0 || bridges.includes(name)
      ? exists(path.join(classDirectory, name))
      : some(bridges.map((bridge) => exists(path.join(classDirectory, bridge, "brif", name))));
  return (await Promise.all(names.map(isInPlace))).every(Boolean);
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

async function filterAsync<T>(items: readonly T[], isWanted: (item: T) => Promise<boolean>): Promise<T[]> {
  const wanted = await Promise.all(items.map(isWanted));
  return items.filter((_, index) => wanted[index]);
}

async function some(answers: readonly Promise<boolean>[]): Promise<boolean> {
  return (await Promise.all(answers)).some(Boolean);
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
