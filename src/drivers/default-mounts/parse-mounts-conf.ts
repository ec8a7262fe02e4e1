/** A line of mounts.conf. */
export interface MountsConfEntry {
  /** Absolute, on the host. */
  source: string;
  /** Absolute, in containers. */
  destination: string;
}

/**
 * Lines `SOURCE:DESTINATION`, or `SOURCE` alone for the same place; empty lines and what follows a `#` do not count. `onBroken` is
 * given lines that name no absolute paths.
 */
export function parseMountsConf(text: string, onBroken: (line: string) => void): MountsConfEntry[] {
  return text.split("\n").flatMap((line) => {
    const content = line.replace(/#.*$/, "").trim();
    if (content === "") return [];
    const [source = "", destination = source, ...more] = content.split(":");
    if (source.startsWith("/") && destination.startsWith("/") && more.length === 0) return [{ source, destination }];
    onBroken(content);
    return [];
  });
}
