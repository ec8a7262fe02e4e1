import { DomainError } from "#errors/domain-error.ts";
import { requestAnnotation } from "#spec/annotations.ts";

/**
 * Files of a container's cgroup (version 2) and their values, as `unified-cgroup.crio.io/CONTAINER`, or the key's older form with a
 * dot, has them: `memory.high=1G;io.weight=50`.
 * @throws DomainError invalid-argument for a part that is no `file=value`
 */
export function unifiedByAnnotation(
  annotations: Readonly<Record<string, string>>,
  containerName: string,
): Record<string, string> {
  const [key, olderKey] = requestAnnotation.unifiedCgroup;
  const text = annotations[`${key}/${containerName}`] ?? annotations[`${olderKey}.${containerName}`] ?? "";
  const parts = text.split(";").filter((part) => part.trim() !== "");
  return Object.fromEntries(
    parts.map((part): [string, string] => {
      const [, file, value] = /^\s*([a-z_]+\.[a-z0-9_.]+)\s*=\s*(\S.*?)\s*$/.exec(part) ?? [];
      if (file !== undefined && value !== undefined) return [file, value];
      throw new DomainError(
        "invalid-argument",
        `the pod's annotation for the cgroup of container ${containerName} has a part that is no file=value: ${JSON.stringify(part)}`,
      );
    }),
  );
}
