import { DomainError } from "#errors/domain-error.ts";
import type { EnvVariable } from "#domain/container/request.ts";
import type { ImageConfig } from "#spec/oci-image.ts";

type ImageRunConfig = NonNullable<ImageConfig["config"]>;

/** Search path of a container whose image sets none. */
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * What is executed: `command` replaces the image's entrypoint and with it the image's cmd, `args` replace the cmd.
 * @throws DomainError invalid-argument when neither names anything
 */
export function processArgs(
  request: { command: readonly string[]; args: readonly string[] },
  image: ImageRunConfig,
): string[] {
  const entrypoint = request.command.length > 0 ? request.command : (image.Entrypoint ?? []);
  const imageCmd = request.command.length > 0 ? [] : (image.Cmd ?? []);
  const args = [...entrypoint, ...(request.args.length > 0 ? request.args : imageCmd)];
  if (args.length === 0)
    throw new DomainError(
      "invalid-argument",
      "the container has nothing to run: neither the request nor the image names a command",
    );
  const broken = args.find((arg) => arg.includes("\0"));
  if (broken !== undefined)
    throw new DomainError("invalid-argument", `the argument ${JSON.stringify(broken)} contains a NUL character`);
  return args;
}

export interface EnvInputs {
  request: readonly EnvVariable[];
  image: ImageRunConfig;
  /** `default_env` of the configuration, `NAME=value`. */
  defaults: readonly string[];
  hostname: string;
  /** Of the user in the container; `undefined` leaves HOME to the runtime. */
  home: string | undefined;
  tty: boolean;
}

/**
 * The environment as `NAME=value`, every name once. The weakest come first: PATH, TERM and HOME that nobody set, the configured
 * defaults, the image, HOSTNAME (an image that was committed from a container carries a stale one), the request.
 * @throws DomainError invalid-argument for a name or value that no process could be given
 */
export function processEnv(inputs: EnvInputs): string[] {
  const values = new Map<string, string>([["PATH", defaultPath]]);
  if (inputs.tty) values.set("TERM", "xterm");
  if (inputs.home !== undefined) values.set("HOME", inputs.home);
  for (const entry of [...inputs.defaults, ...(inputs.image.Env ?? [])]) {
    const { name, value } = splitEntry(entry);
    values.set(name, value);
  }
  if (inputs.hostname !== "") values.set("HOSTNAME", inputs.hostname);
  for (const { name, value } of inputs.request) values.set(name, value);
  for (const [name, value] of values) checkVariable(name, value);
  return [...values].map(([name, value]) => `${name}=${value}`);
}

function splitEntry(entry: string): EnvVariable {
  const at = entry.indexOf("=");
  return at === -1 ? { name: entry, value: "" } : { name: entry.slice(0, at), value: entry.slice(at + 1) };
}

function checkVariable(name: string, value: string): void {
  if (name === "" || name.includes("=") || name.includes("\0"))
    throw new DomainError("invalid-argument", `${JSON.stringify(name)} is not the name of an environment variable`);
  if (value.includes("\0"))
    throw new DomainError("invalid-argument", `the environment variable ${name} contains a NUL character`);
}

/** Where the process starts: the request's directory, else the image's, else the root. Always absolute. */
export function processCwd(workingDir: string, image: ImageRunConfig): string {
  const wanted = workingDir === "" ? (image.WorkingDir ?? "") : workingDir;
  return wanted.startsWith("/") ? wanted : `/${wanted}`;
}
