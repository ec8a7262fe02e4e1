import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { clearAway } from "./daemon.ts";
import { placesFile, type OwnedPlaces } from "./places.ts";

/** Takes away what earlier runs have left that were killed before they could. */
export async function sweepPlaces(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith("bench-"))) {
    const file = path.join(tmpdir(), name, placesFile);
    if (!existsSync(file)) continue;
    const { owner, places } = JSON.parse(readFileSync(file, "utf8")) as OwnedPlaces;
    if (!existsSync(`/proc/${owner}`)) await clearAway(places);
  }
}
