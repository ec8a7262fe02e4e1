import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { OciSeccomp, OciSeccompAction, OciSyscallArg, OciSyscallRule } from "#spec/oci-runtime.ts";

/** A seccomp profile as files hold it: OCI's form, with Docker's conditions (`includes`, `excludes`, `archMap`). */
export interface SeccompProfile {
  defaultAction: OciSeccompAction;
  defaultErrnoRet?: number;
  architectures?: string[];
  archMap?: { architecture: string; subArchitectures?: string[] | null }[] | null;
  flags?: string[];
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls?: ProfileRule[] | null;
}

export interface ProfileRule {
  /** Docker's oldest form has one `name`. */
  name?: string;
  names?: string[];
  action: OciSeccompAction;
  errnoRet?: number;
  args?: OciSyscallArg[] | null;
  includes?: ProfileCondition;
  excludes?: ProfileCondition;
}

/** Go architecture names and capabilities: includes need all capabilities and one architecture, excludes one of either. */
export interface ProfileCondition {
  arches?: string[];
  caps?: string[];
  /** `4.8`. */
  minKernel?: string;
}

/** What a profile's conditions are about. */
export interface ProfileTarget {
  architecture: string;
  /** The container's bounding set. */
  capabilities: readonly string[];
  kernelRelease: string;
}

const nativeArchitecture: Readonly<Record<string, string>> = {
  amd64: "SCMP_ARCH_X86_64",
  arm64: "SCMP_ARCH_AARCH64",
  ppc64le: "SCMP_ARCH_PPC64LE",
  s390x: "SCMP_ARCH_S390X",
  riscv64: "SCMP_ARCH_RISCV64",
};

/**
 * Reads a profile's JSON.
 * @throws DomainError invalid-argument that names the profile and what is wrong with it
 */
export function parseSeccompProfile(text: string, name: string): SeccompProfile {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw invalid(name, messageOf(error), error);
  }
  const problem = profileProblem(parsed);
  if (problem !== undefined) throw invalid(name, problem);
  return parsed as SeccompProfile;
}

function invalid(name: string, problem: string, cause?: unknown): DomainError {
  return new DomainError("invalid-argument", `the seccomp profile ${name} cannot be used: ${problem}`, { cause });
}

function profileProblem(parsed: unknown): string | undefined {
  if (!isRecord(parsed)) return "it is no JSON object";
  if (!isAction(parsed["defaultAction"])) return "defaultAction is missing or unknown";
  const rules = parsed["syscalls"] ?? [];
  if (!Array.isArray(rules)) return "syscalls is no list";
  for (const [index, rule] of rules.entries()) {
    const problem = ruleProblem(rule);
    if (problem !== undefined) return `syscalls[${index}] ${problem}`;
  }
  return undefined;
}

function ruleProblem(rule: unknown): string | undefined {
  if (!isRecord(rule)) return "is no object";
  if (!isAction(rule["action"])) return "has a missing or unknown action";
  const names: unknown = rule["names"] ?? (rule["name"] === undefined ? undefined : [rule["name"]]);
  if (!Array.isArray(names) || !names.every((name) => typeof name === "string")) return "has no names";
  if (!Array.isArray(rule["args"] ?? [])) return "has args that are no list";
  return undefined;
}

function isAction(value: unknown): boolean {
  return typeof value === "string" && value.startsWith("SCMP_ACT_");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The profile with its conditions decided for one container, as runtimes understand it. */
export function resolveSeccompProfile(profile: SeccompProfile, target: ProfileTarget): OciSeccomp {
  const seccomp: OciSeccomp = {
    defaultAction: profile.defaultAction,
    architectures: architectures(profile, target.architecture),
    syscalls: (profile.syscalls ?? []).filter((rule) => applies(rule, target)).map(ociRule),
  };
  if (profile.defaultErrnoRet !== undefined) seccomp.defaultErrnoRet = profile.defaultErrnoRet;
  if (profile.flags !== undefined) seccomp.flags = profile.flags;
  if (profile.listenerPath !== undefined) seccomp.listenerPath = profile.listenerPath;
  if (profile.listenerMetadata !== undefined) seccomp.listenerMetadata = profile.listenerMetadata;
  return seccomp;
}

function architectures(profile: SeccompProfile, architecture: string): string[] {
  if (profile.architectures !== undefined && profile.architectures.length > 0) return profile.architectures;
  const native = nativeArchitecture[architecture];
  const mapped = profile.archMap?.find((one) => one.architecture === native);
  return mapped === undefined ? [native ?? []].flat() : [mapped.architecture, ...(mapped.subArchitectures ?? [])];
}

function applies(rule: ProfileRule, target: ProfileTarget): boolean {
  const { includes = {}, excludes = {} } = rule;
  if (includes.arches !== undefined && includes.arches.length > 0 && !includes.arches.includes(target.architecture))
    return false;
  if (includes.caps?.some((name) => !target.capabilities.includes(name)) === true) return false;
  if (includes.minKernel !== undefined && !isAtLeast(target.kernelRelease, includes.minKernel)) return false;
  if (excludes.arches?.includes(target.architecture) === true) return false;
  if (excludes.caps?.some((name) => target.capabilities.includes(name)) === true) return false;
  return excludes.minKernel === undefined || !isAtLeast(target.kernelRelease, excludes.minKernel);
}

/** Compares the first two numbers of kernel releases. */
export function isAtLeast(release: string, wanted: string): boolean {
  const [major = 0, minor = 0] = numbers(release);
  const [wantedMajor = 0, wantedMinor = 0] = numbers(wanted);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function numbers(release: string): number[] {
  return release.split(/[^0-9]+/, 2).map(Number);
}

function ociRule(rule: ProfileRule): OciSyscallRule {
  const oci: OciSyscallRule = { names: rule.names ?? [rule.name ?? ""], action: rule.action };
  if (rule.errnoRet !== undefined) oci.errnoRet = rule.errnoRet;
  if (rule.args !== undefined && rule.args !== null && rule.args.length > 0) oci.args = rule.args;
  return oci;
}
