import path from "node:path";
import { isAtOrBelow } from "#lib/is-at-or-below.ts";
import type { OciMount, OciSpec } from "#spec/oci-runtime.ts";
import type { OwnMount } from "./own-mount.ts";

/** A view of the host without the mounts of other pods; see `MountViewRequest`. */
export interface Narrowed {
  readonly without: readonly string[];
  readonly keep: readonly string[];
  /** Places on the host that the container gets, and that have to be the same in the view. */
  readonly shown: readonly string[];
}

/** What of a container's configuration a view depends on. */
export interface ViewedSpec extends Pick<OciSpec, "hooks" | "mounts"> {
  readonly root: { readonly path: string };
  readonly linux: Pick<OciSpec["linux"], "namespaces" | "rootfsPropagation">;
}

const sharing = new Set(["shared", "rshared"]);

/**
 * What a container needs of the mounts in the directories of `own`, where those of all pods are. Undefined when it has to be made in sight of
 * all of them: what it mounts has to appear on the host, hooks look around there, or a part of such a directory is its volume.
 *
 * A volume that contains private directories does not show what is mounted there: it would keep the roots of other containers busy. A
 * public one stays in sight where a volume touches it.
 */
export function narrowed(spec: ViewedSpec, own: readonly OwnMount[]): Narrowed | undefined {
  if (Object.values(spec.hooks ?? {}).some((ofStage) => ofStage.length > 0)) return undefined;
  const propagation = [spec.linux.rootfsPropagation ?? "", ...spec.mounts.flatMap(({ options }) => options ?? [])];
  if (propagation.some((option) => sharing.has(option))) return undefined;

  const volumes = spec.mounts.flatMap(hostSource);
  const isOfPod = (source: string): boolean => own.some((one) => spellings(one).includes(path.dirname(source)));
  const others = volumes.filter((source) => !isOfPod(source));
  const privateOnes = own.filter(({ isPublic }) => !isPublic);
  if (others.some((source) => privateOnes.some((one) => isAtOrIn(source, one)))) return undefined;

  const hidden = own.filter((one) => !one.isPublic || !others.some((source) => touches(source, one)));
  const namespaces = spec.linux.namespaces.map((namespace) => namespace.path ?? "");
  const needed = [spec.root.path, ...namespaces, ...volumes.filter(isOfPod)];
  return {
    without: hidden.filter(({ isPublic }) => isPublic).map(({ path: place }) => place),
    keep: [...new Set(needed.filter((place) => hidden.some((one) => isAtOrIn(place, one))))],
    shown: others,
  };
}

/** The place on the host that is bound into the container, if it is such a mount. */
function hostSource({ source, type, options = [] }: OciMount): string[] {
  const isBind = type === "bind" || options.includes("bind") || options.includes("rbind");
  return isBind && source !== undefined ? [path.normalize(source)] : [];
}

/** As it was given and without symlinks: the specification may have either. */
function spellings({ path: place, given }: OwnMount): string[] {
  return [place, given];
}

function isAtOrIn(place: string, own: OwnMount): boolean {
  return spellings(own).some((directory) => isAtOrBelow(place, directory));
}

function contains(place: string, own: OwnMount): boolean {
  return spellings(own).some((directory) => isAtOrBelow(directory, place));
}

function touches(place: string, own: OwnMount): boolean {
  return isAtOrIn(place, own) || contains(place, own);
}
