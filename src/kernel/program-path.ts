import { accessSync, constants, statSync } from "node:fs";
import path from "node:path";

/** Where services look for programs when their environment names no place. */
export const defaultSearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The absolute path of a program: `name` itself when it is a path, else the first match in `searchPath`; undefined when there is none. */
export function findProgram(name: string, searchPath = process.env["PATH"] ?? defaultSearchPath): string | undefined {
  const candidates = name.includes("/")
    ? [path.resolve(name)]
    : searchPath.split(":").map((directory) => path.join(directory, name));
  return candidates.find(isExecutableFile);
}

function isExecutableFile(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
