import { DomainError } from "#errors/domain-error.ts";
import { stateAnnotation } from "#spec/annotations.ts";
import type { OciMount } from "#spec/oci-runtime.ts";
import type { ContainerRequest, ContainerSecurityContext } from "../request.ts";
import { type ParsedCheckpoint, textsIn } from "./parsed-checkpoint.ts";

/** The kubelet's note of which pod a container belongs to. */
const podUid = "io.kubernetes.pod.uid";

/**
 * What a container that goes on from a checkpoint is asked to be: what its processes are and see is the checkpoint's, all else is the
 * request's. Mounts of the request that the checkpoint does not know are left out, since criu restores those that it saw.
 */
export function restoredRequest(
  asked: ContainerRequest,
  checkpoint: ParsedCheckpoint,
  image: string,
  sandboxUid: string,
): ContainerRequest {
  const { process, annotations } = checkpoint;
  const known = new Set(checkpoint.mounts.map(({ destination }) => destination));
  return {
    ...asked,
    image: { ...asked.image, image, imageRef: "" },
    command: process.args,
    args: [],
    env: process.env.map(variable),
    workingDir: process.cwd,
    tty: process.terminal,
    stdin: annotations[stateAnnotation.stdin] === "true",
    stdinOnce: annotations[stateAnnotation.stdinOnce] === "true",
    mounts: asked.mounts.filter(({ containerPath }) => known.has(containerPath)),
    annotations: annotationsOf(asked, checkpoint, sandboxUid),
    linux: { ...asked.linux, securityContext: securityOf(asked.linux.securityContext, checkpoint) },
  };
}

function variable(entry: string): { name: string; value: string } {
  const at = entry.indexOf("=");
  return at === -1 ? { name: entry, value: "" } : { name: entry.slice(0, at), value: entry.slice(at + 1) };
}

/** Those of the container that was, without what others may have allowed it, under those of the request. */
function annotationsOf(
  asked: ContainerRequest,
  { annotations }: ParsedCheckpoint,
  sandboxUid: string,
): Record<string, string> {
  const before = parsedTexts(annotations[stateAnnotation.annotations]);
  return { ...before, ...(podUid in before ? { [podUid]: sandboxUid } : {}), ...asked.annotations };
}

function parsedTexts(text: string | undefined): Record<string, string> {
  try {
    return textsIn(JSON.parse(text ?? "{}"));
  } catch {
    return {};
  }
}

/** criu gives the processes their user back; it is told here so that further commands run as the same one. */
function securityOf(asked: ContainerSecurityContext, checkpoint: ParsedCheckpoint): ContainerSecurityContext {
  const { uid, gid, additionalGids = [] } = checkpoint.process.user;
  const isGiven = asked.runAsUser !== undefined || asked.runAsUsername !== "";
  return {
    ...asked,
    ...(isGiven
      ? {}
      : {
          runAsUser: uid,
          runAsGroup: gid,
          supplementalGroups: additionalGids,
          supplementalGroupsPolicy: "strict" as const,
        }),
    maskedPaths: checkpoint.maskedPaths,
    readonlyPaths: checkpoint.readonlyPaths,
  };
}

/**
 * Sees to it that all that the checkpoint had from the host is there again: else whoever makes an archive could have any directory of the
 * node mounted.
 * @throws DomainError invalid-argument naming all places
 */
export function requireMounts(from: string, checkpoint: ParsedCheckpoint, mounts: readonly OciMount[]): void {
  const given = new Set(mounts.map(({ destination }) => destination));
  const missing = checkpoint.mounts.filter(({ isBind, destination }) => isBind && !given.has(destination));
  if (missing.length === 0) return;
  const places = missing.map(({ destination }) => destination).join(", ");
  throw new DomainError("invalid-argument", `restoring ${from} needs mounts in the request at ${places}`);
}
