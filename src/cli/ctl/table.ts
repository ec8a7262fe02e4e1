/**
 * Rows under a line of column titles, columns padded to their widest cell and separated by three blanks. No line ends
 * in blanks; the text ends in a newline.
 */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [titles, ...rows];
  const widths = titles.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  return lines
    .map((line) =>
      titles
        .map((_, column) => (line[column] ?? "").padEnd(widths[column] ?? 0))
        .join("   ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}
