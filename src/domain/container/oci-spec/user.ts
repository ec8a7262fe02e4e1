import { DomainError } from "#errors/domain-error.ts";
import type { SupplementalGroupsPolicy } from "#domain/sandbox/request.ts";
import { type GroupEntry, highestId, parseGroup, parseId, type PasswdEntry, parsePasswd } from "./passwd.ts";

export interface UserInputs {
  runAsUser: number | undefined;
  runAsUsername: string;
  runAsGroup: number | undefined;
  supplementalGroups: readonly number[];
  supplementalGroupsPolicy: SupplementalGroupsPolicy;
  /** `user`, `uid`, `user:group`, ... of the image; used when the request names nobody. */
  imageUser: string;
  /** Content of the root's /etc/passwd and /etc/group; empty when there is none. */
  passwd: string;
  group: string;
}

/** Who runs in the container. */
export interface ResolvedUser {
  uid: number;
  gid: number;
  /** With `gid`, without duplicates, in the order found. */
  additionalGids: number[];
  /** Name in /etc/passwd, when the user has one. */
  name: string | undefined;
  /** Home directory of the user: the one in /etc/passwd, or `/` as runtimes have it. */
  home: string;
}

/**
 * Finds user and groups. A number needs no entry in the image; a name does.
 * @throws DomainError invalid-argument for unknown names, ids out of range, and a group without a user (the CRI demands that error)
 */
export function resolveUser(inputs: UserInputs): ResolvedUser {
  const { user, group } = wantedUser(inputs);
  const groups = parseGroup(inputs.group);
  const { uid, entry } = findUser(user, parsePasswd(inputs.passwd));
  const gid = inputs.runAsGroup ?? (group === "" ? (entry?.gid ?? 0) : findGroup(group, groups));
  checkIds([uid, gid, ...inputs.supplementalGroups]);

  // An image that names its group leaves out the groups its user is a member of, as `USER name:group` of a Dockerfile says.
  const merge = inputs.supplementalGroupsPolicy === "merge" && group === "";
  const ofImage =
    merge && entry !== undefined ? groups.filter((one) => one.members.includes(entry.name)).map((one) => one.gid) : [];
  return {
    uid,
    gid,
    // The primary group is listed too: else a setgid program could shed it and pass a "group may not" permission.
    additionalGids: [...new Set([gid, ...ofImage, ...inputs.supplementalGroups])],
    name: entry?.name,
    home: entry === undefined || entry.home === "" ? "/" : entry.home,
  };
}

function wantedUser(inputs: UserInputs): { user: string; group: string } {
  if (inputs.runAsUser !== undefined) return { user: String(inputs.runAsUser), group: "" };
  if (inputs.runAsUsername !== "") return { user: inputs.runAsUsername, group: "" };
  if (inputs.runAsGroup !== undefined)
    throw new DomainError(
      "invalid-argument",
      `the request sets run_as_group ${inputs.runAsGroup} without run_as_user or run_as_username`,
    );
  const [user = "", group = ""] = inputs.imageUser.split(":");
  return { user, group };
}

function findUser(user: string, entries: PasswdEntry[]): { uid: number; entry: PasswdEntry | undefined } {
  if (user === "") return { uid: 0, entry: entries.find((one) => one.uid === 0) };
  const byName = entries.find((one) => one.name === user);
  if (byName !== undefined) return { uid: byName.uid, entry: byName };
  if (/^-?\d+$/.test(user)) {
    const uid = Number(user);
    return { uid, entry: entries.find((one) => one.uid === uid) };
  }
  throw new DomainError("invalid-argument", `the user ${JSON.stringify(user)} is not in the image's /etc/passwd`);
}

function findGroup(group: string, entries: GroupEntry[]): number {
  const gid = entries.find((one) => one.name === group)?.gid ?? parseId(group);
  if (gid === undefined)
    throw new DomainError("invalid-argument", `the group ${JSON.stringify(group)} is not in the image's /etc/group`);
  return gid;
}

function checkIds(ids: readonly number[]): void {
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id > highestId);
  if (wrong !== undefined)
    throw new DomainError("invalid-argument", `${wrong} is not a user or group id between 0 and ${highestId}`);
}

/**
 * /etc/passwd with a line for a user that has none, so that programs which ask for their user's name find one; `undefined`
 * when nothing has to be added.
 */
export function passwdWithUser(passwd: string, user: ResolvedUser, home: string): string | undefined {
  if (user.name !== undefined || parsePasswd(passwd).some((one) => one.uid === user.uid)) return undefined;
  return appended(passwd, `${user.uid}:x:${user.uid}:${user.gid}:${user.uid} user:${home}:/sbin/nologin`);
}

/** /etc/group with a line for the primary group; `undefined` when it has one. */
export function groupWithPrimary(group: string, user: ResolvedUser): string | undefined {
  if (parseGroup(group).some((one) => one.gid === user.gid)) return undefined;
  return appended(group, `${user.gid}:x:${user.gid}:`);
}

function appended(text: string, line: string): string {
  return `${text === "" || text.endsWith("\n") ? text : `${text}\n`}${line}\n`;
}

/**
 * An umask in octal, as an annotation has it.
 * @throws DomainError invalid-argument
 */
export function parseUmask(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^0?[0-7]{1,3}$/.test(text)) return Number.parseInt(text, 8);
  throw new DomainError("invalid-argument", `${JSON.stringify(text)} is no umask, an octal number up to 0777`);
}
