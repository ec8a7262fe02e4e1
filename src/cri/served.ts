import { DomainError } from "#errors/domain-error.ts";

/** A part of the runtime that a daemon may run without. @throws DomainError unimplemented */
export function served<T>(part: T | undefined, what: string): T {
  if (part === undefined) throw new DomainError("unimplemented", `this daemon does not serve ${what}`);
  return part;
}
