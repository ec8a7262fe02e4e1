import manifest from "../../package.json" with { type: "json" };

/** The version of berth, from package.json. */
export const berthVersion: string = manifest.version;
