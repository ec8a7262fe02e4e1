import { statSync } from "node:fs";
import path from "node:path";
import { DomainError } from "#errors/domain-error.ts";

/**
 * The file of a time zone as `timezone` names it; undefined for none.
 * @throws DomainError failed-precondition when the machine does not have it
 */
export function timezoneFile(timezone: string, zones = "/usr/share/zoneinfo"): string | undefined {
  if (timezone === "") return undefined;
  const file = timezone.toLowerCase() === "local" ? "/etc/localtime" : path.join(zones, timezone);
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) return file;
  throw new DomainError("failed-precondition", `timezone = ${JSON.stringify(timezone)}: there is no file ${file}`);
}
