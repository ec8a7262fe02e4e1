import { endianness } from "node:os";
import type { Descriptor, Platform } from "#spec/oci-image.ts";

/** The platform of this machine in the words of images (Go's GOOS and GOARCH). */
export function hostPlatform(): Platform {
  const architecture = goArchitectures.get(process.arch) ?? process.arch;
  return { os: "linux", architecture };
}

const goArchitectures: ReadonlyMap<string, string> = new Map([
  ["x64", "amd64"],
  ["ia32", "386"],
  ["mipsel", "mipsle"],
  ["ppc64", endianness() === "BE" ? "ppc64" : "ppc64le"],
]);

/**
 * The entry of an index that fits `wanted` best: the newest variant of the architecture that `wanted` can run, the first
 * of equals. Entries that name no platform are taken only when none that does fits.
 */
export function selectPlatform(manifests: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  const candidates = manifests.filter(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  for (const variant of runnableVariants(wanted)) {
    const found = candidates.find(({ platform }) => (platform?.variant ?? "") === variant);
    if (found !== undefined) return found;
  }
  return manifests.find(({ platform }) => platform === undefined);
}

/** `os/architecture[/variant]`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant ? `${os}/${architecture}/${variant}` : `${os}/${architecture}`;
}

/**
 * The variants that a machine of `platform` can run, best first. Without a variant an arm machine is taken for v7, arm64
 * for v8 and amd64 for v1, which are what images that name no variant are built for.
 */
function runnableVariants({ architecture, variant }: Platform): string[] {
  switch (architecture) {
    case "arm":
      return descending(variant, 7, 5).flatMap((name) => (name === "v7" ? [name, ""] : [name]));
    case "arm64":
      return [...descending(variant, 8, 8), ""];
    case "amd64":
      return [...descending(variant, 1, 1), ""];
    default:
      return variant ? [variant, ""] : [""];
  }
}

/** `vN`, ..., `v<least>`; a variant that is not of this form (arm64's `v8.1`) comes first as it is. */
function descending(variant: string | undefined, ordinary: number, least: number): string[] {
  const match = /^v(\d+)$/.exec(variant || `v${ordinary}`);
  const newest = match === null ? ordinary : Math.min(Number(match[1]), 99);
  const names = match === null && variant ? [variant] : [];
  for (let level = newest; level >= least; level -= 1) names.push(`v${level}`);
  return names;
}
