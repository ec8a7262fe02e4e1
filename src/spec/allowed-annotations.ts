import { requestAnnotation, restrictedAnnotationPrefixes, restrictedAnnotationSuffixes } from "./annotations.ts";
import type { OciFeatures } from "./oci-runtime.ts";

/** A user's annotations without those that nobody allowed. */
export function allowedAnnotations(
  annotations: Readonly<Record<string, string>>,
  allowed: readonly string[],
  features: OciFeatures = {},
): Record<string, string> {
  const prefixes = [...restrictedAnnotationPrefixes, ...(features.potentiallyUnsafeConfigAnnotations ?? [])];
  const isRestricted = (key: string) =>
    restrictedAnnotationSuffixes.some((suffix) => (key.split("/")[0] ?? key).endsWith(suffix)) ||
    prefixes.some((prefix) => key.startsWith(prefix));
  const allowedPrefixes = withOtherNames(allowed);
  const isAllowed = (key: string) => allowedPrefixes.some((prefix) => key.startsWith(prefix));
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => !isRestricted(key) || isAllowed(key)));
}

/** Who allows an annotation by its old name allows it by the new one, and the other way round. */
function withOtherNames(allowed: readonly string[]): string[] {
  const names = Object.values(requestAnnotation).filter((both) => both.some((name) => allowed.includes(name)));
  return [...allowed.filter((prefix) => prefix !== ""), ...names.flat()];
}
