/**
 * The file of a sysctl. sysctl(8) spells dots; a slash in a name stands for a dot in the path (`net.ipv4.conf.eth0/1.forwarding`).
 * @throws Error for a name that leads out of /proc/sys
 */
export function sysctlPath(name: string): string {
  const swapped = name.replaceAll(/[./]/g, (character) => (character === "." ? "/" : "."));
  if (swapped.split("/").includes("..")) throw new Error(`${JSON.stringify(name)} is not the name of a sysctl`);
  return `/proc/sys/${swapped}`;
}
