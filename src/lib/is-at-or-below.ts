/** True when the clean absolute path `inner` is `outer` or lies below it. */
export function isAtOrBelow(inner: string, outer: string): boolean {
  return inner === outer || outer === "/" || inner.startsWith(`${outer}/`);
}
