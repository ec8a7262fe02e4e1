import { DomainError } from "#errors/domain-error.ts";
import type { OciRlimit } from "#spec/oci-runtime.ts";
import { rlimitUnlimited } from "#spec/oci-runtime-json.ts";

const names = new Set(
  "AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK".split(" "),
);

/**
 * One entry of `default_ulimits`: `name=soft:hard` or `name=both`, -1 for unlimited.
 * @throws DomainError invalid-argument
 */
export function parseUlimit(text: string): OciRlimit {
  const found = /^([A-Za-z]+)=(-1|\d+)(?::(-1|\d+))?$/.exec(text.trim());
  const name = (found?.[1] ?? "").toUpperCase().replace(/^RLIMIT_/, "");
  const soft = limit(found?.[2] ?? "");
  const hard = found?.[3] === undefined ? soft : limit(found[3]);
  if (!names.has(name) || soft > hard)
    throw new DomainError("invalid-argument", `${JSON.stringify(text)} is no ulimit of the form name=soft:hard`);
  return { type: `RLIMIT_${name}`, soft, hard };
}

function limit(text: string): number {
  return text === "-1" ? rlimitUnlimited : Number(text);
}

/**
 * The rlimits of the process. A hard limit above the daemon's own needs CAP_SYS_RESOURCE; without it the daemon's is given,
 * with a warning, since the runtime would fail.
 */
export function buildRlimits(
  ulimits: readonly string[],
  daemon: { rlimits: Readonly<Record<string, { soft: number; hard: number }>>; canRaise: boolean },
): { rlimits: OciRlimit[]; warnings: string[] } {
  const byType = new Map(ulimits.map((text) => [parseUlimit(text).type, parseUlimit(text)]));
  const warnings: string[] = [];
  const rlimits = [...byType.values()].map((wanted) => {
    const highest = daemon.rlimits[wanted.type]?.hard ?? rlimitUnlimited;
    if (daemon.canRaise || wanted.hard <= highest) return wanted;
    warnings.push(`${wanted.type} is limited to ${highest}: the daemon has no CAP_SYS_RESOURCE to raise it`);
    return { type: wanted.type, soft: Math.min(wanted.soft, highest), hard: highest };
  });
  return { rlimits, warnings };
}
