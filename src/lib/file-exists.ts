import { access } from "node:fs/promises";

/** Whether there is something at a path; false also where that cannot be looked at. */
export function fileExists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
