import type { OciHooks } from "#spec/oci-runtime.ts";

/** Both lists of hooks, the first one's before the second's at every stage; `undefined` when there are none. */
export function mergeHooks(first: OciHooks | undefined, second: OciHooks | undefined): OciHooks | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  const merged: OciHooks = { ...first };
  for (const stage of Object.keys(second) as (keyof OciHooks)[])
    merged[stage] = [...(first[stage] ?? []), ...(second[stage] ?? [])];
  return merged;
}
