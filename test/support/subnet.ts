import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";

/** A /24 in 10.0.0.0/8 that no route of this machine covers, e.g. `10.213.7`. */
export function freeSubnetPrefix(): string {
  const taken = routedPrefixes();
  for (;;) {
    const prefix = `10.${randomInt(128, 255)}.${randomInt(0, 255)}`;
    if (!taken.some((route) => prefix.startsWith(route))) return prefix;
  }
}

/** Destinations of routes in 10.0.0.0/8, as the dotted octets that their masks cover. */
function routedPrefixes(): string[] {
  return readFileSync("/proc/net/route", "utf8")
    .split("\n")
    .slice(1)
    .map((line) => line.split("\t"))
    .map(([, destination = "", , , , , , mask = ""]) => {
      const octets = littleEndianOctets(destination);
      return octets.slice(0, littleEndianOctets(mask).filter((octet) => octet === 255).length).join(".");
    })
    .filter((prefix) => prefix.startsWith("10"));
}

function littleEndianOctets(hex: string): number[] {
  return (hex.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)).reverse();
}
