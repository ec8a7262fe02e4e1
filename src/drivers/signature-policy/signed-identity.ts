import { type DockerName, formatDockerName, parseDockerName } from "./docker-name.ts";

/** How the name in a signature has to relate to the image's: `signedIdentity` of a requirement. */
export type SignedIdentity =
  | { type: "matchExact" }
  | { type: "matchRepoDigestOrExact" }
  | { type: "matchRepository" }
  | { type: "exactReference"; dockerReference: string }
  | { type: "exactRepository"; dockerRepository: string }
  | { type: "remapIdentity"; prefix: string; signedPrefix: string };

/** True when a signature for `signedText` is one for `image`. */
export function fitsIdentity(identity: SignedIdentity, image: DockerName, signedText: string): boolean {
  const signed = parseDockerName(signedText);
  if (signed === undefined) return false;
  switch (identity.type) {
    case "matchExact":
      return isExact(signed, image);
    case "matchRepoDigestOrExact":
      return fitsRepositoryOrExact(signed, image);
    case "matchRepository":
      return signed.repository === image.repository;
    case "exactReference": {
      const wanted = parseDockerName(identity.dockerReference);
      return wanted !== undefined && isExact(signed, wanted);
    }
    case "exactRepository":
      return signed.repository === parseDockerName(identity.dockerRepository)?.repository;
    case "remapIdentity":
      return fitsRepositoryOrExact(signed, { ...image, repository: remapped(identity, image.repository) });
  }
}

/** A name without tag and digest is no exact one: it would fit every version. */
function isExact(signed: DockerName, wanted: DockerName): boolean {
  return !isBare(signed) && !isBare(wanted) && formatDockerName(signed) === formatDockerName(wanted);
}

/** Who asks for a digest has named the content; the digest of the signature is compared with it elsewhere. */
function fitsRepositoryOrExact(signed: DockerName, image: DockerName): boolean {
  if (isBare(signed)) return false;
  return image.tag === undefined ? signed.repository === image.repository : isExact(signed, image);
}

function isBare({ tag, digest }: DockerName): boolean {
  return tag === undefined && digest === undefined;
}

function remapped({ prefix, signedPrefix }: { prefix: string; signedPrefix: string }, repository: string): string {
  const fits = repository === prefix || repository.startsWith(`${prefix}/`);
  return fits ? `${signedPrefix}${repository.slice(prefix.length)}` : repository;
}
