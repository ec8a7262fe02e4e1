/** Versions of the CNI specification that berth speaks, oldest first. */
export const supportedVersions = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

export type CniVersion = (typeof supportedVersions)[number];

/** What a configuration without `cniVersion` means (CNI spec 0.1.0, the last one without the field). */
export const impliedVersion: CniVersion = "0.1.0";

export function isSupportedVersion(version: string): version is CniVersion {
  return supportedVersions.some((supported) => supported === version);
}

export function isAtLeast(version: CniVersion, minimum: CniVersion): boolean {
  return supportedVersions.indexOf(version) >= supportedVersions.indexOf(minimum);
}

/** The highest of `versions` that satisfies `accept`. */
export function highestVersion(
  versions: readonly CniVersion[],
  accept: (version: CniVersion) => boolean = () => true,
): CniVersion | undefined {
  return supportedVersions.findLast((version) => versions.includes(version) && accept(version));
}
