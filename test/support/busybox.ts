import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { RunDefaults } from "./image-builder.ts";
import type { TarEntry } from "./tar.ts";

const binaries = ["/bin/busybox", "/usr/bin/busybox"];

/** Where Debian's busybox-static is; the image and the demo are made of it. */
export function busyboxPath(): string {
  const found = binaries.find((file) => existsSync(file));
  if (found === undefined) throw new Error(`none of ${binaries.join(", ")} exists: install busybox-static`);
  return found;
}

/** A root file system of one binary and a link for each of its commands, with the users root, app and nobody. */
export function busyboxEntries(): TarEntry[] {
  const file = busyboxPath();
  const applets = execFileSync(file, ["--list"], { encoding: "utf8" }).split("\n").filter(Boolean);
  const folders = ["bin", "dev", "etc", "home", "home/app", "proc", "root", "run", "sys", "usr", "var", "var/tmp"];
  return [
    ...folders.map((path): TarEntry => ({ path: `${path}/`, kind: "directory" })),
    { path: "tmp/", kind: "directory", mode: 0o1777 },
    { path: "bin/busybox", content: readFileSync(file), mode: 0o755 },
    ...applets
      .filter((name) => name !== "busybox")
      .map((name): TarEntry => ({ path: `bin/${name}`, kind: "symlink", target: "busybox" })),
    { path: "etc/passwd", content: passwd },
    { path: "etc/group", content: group },
  ];
}

export const busyboxConfig: RunDefaults = {
  Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
  Cmd: ["sh"],
};

const passwd = `root:x:0:0:root:/root:/bin/sh
app:x:1000:1000:app:/home/app:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
`;

const group = `root:x:0:
audio:x:29:app
app:x:1000:
extra:x:2000:app
nogroup:x:65534:
`;

/** The image of a pause container: a process that does nothing until it is told to end. */
export function pauseEntries(): TarEntry[] {
  const script = `#!/bin/sh\ntrap 'exit 0' TERM INT\nwhile true; do sleep 3600 & wait $!; done\n`;
  return [...busyboxEntries(), { path: "pause", content: script, mode: 0o755 }];
}
