/** What the launcher sets for this process alone, not for those it starts. */
const names = ["NODE_COMPILE_CACHE", "MALLOC_ARENA_MAX", "BERTH_STARTED_AGAIN"] as const;

export type LaunchVariable = (typeof names)[number];

const taken: Partial<Record<LaunchVariable, string>> = {};

/** Takes the launcher's variables out of the environment of this process. */
export function takeLaunchEnvironment(): void {
  for (const name of names) {
    const value = process.env[name];
    if (value !== undefined) taken[name] = value;
    delete process.env[name];
  }
}

/** What was taken. */
export function launchEnvironment(): Readonly<Partial<Record<LaunchVariable, string>>> {
  return taken;
}
