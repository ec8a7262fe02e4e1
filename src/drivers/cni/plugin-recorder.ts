import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileExists } from "#lib/file-exists.ts";
import type { PodNetwork } from "./index.ts";
import type { JsonObject } from "./json.ts";

/** What a recorded plugin was given. */
export interface RecordedCall {
  /** `<command> <type>`. */
  name: string;
  variables: Record<string, string>;
  input: JsonObject;
}

const result =
  '{"cniVersion":"1.0.0","interfaces":[{"name":"br0"},{"name":"eth0","mac":"02:00:00:00:00:02","sandbox":"/netns"}],' +
  '"ips":[{"address":"10.1.0.2/24","interface":1}]}';

// Each call is written to `calls/<number>` in the order of arrival, then the answer given for it is run as shell text.
const script = `#!/bin/sh
root=$(dirname "$0")/..
type=$(basename "$0")
number=$(mktemp -d "$root/calls/XXXXXXXX")
cat > "$number/input"
env | grep '^CNI_' > "$number/variables"
[ "$CNI_COMMAND" = VERSION ] || echo "$CNI_COMMAND $type $(basename "$number")" >> "$root/order"
if [ -f "$root/answers/$CNI_COMMAND-$type" ]; then . "$root/answers/$CNI_COMMAND-$type"
elif [ "$CNI_COMMAND" = VERSION ]; then echo '{"cniVersion":"1.0.0","supportedVersions":["0.3.1","0.4.0","1.0.0","1.1.0"]}'
elif [ "$CNI_COMMAND" = ADD ]; then echo '${result}'
fi
`;

/** CNI plugins for tests: shell scripts in a directory of their own that record what they are given. */
export class PluginRecorder implements AsyncDisposable {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  static async create(...types: string[]): Promise<PluginRecorder> {
    const recorder = new PluginRecorder(await mkdtemp(path.join(os.tmpdir(), "berth-cni-")));
    for (const directory of ["bin", "calls", "answers"]) await mkdir(path.join(recorder.root, directory));
    for (const type of types) await recorder.install(type);
    return recorder;
  }

  get pluginDir(): string {
    return path.join(this.root, "bin");
  }

  get networkDir(): string {
    return path.join(this.root, "net.d");
  }

  get cacheDir(): string {
    return path.join(this.root, "results");
  }

  async install(type: string): Promise<void> {
    const temporary = path.join(this.root, `${type}.tmp`);
    await writeFile(temporary, script);
    await chmod(temporary, 0o755);
    await rename(temporary, path.join(this.pluginDir, type));
  }

  /** Makes a command of a plugin run `shell` instead of succeeding. */
  async answer(command: string, type: string, shell: string): Promise<void> {
    await writeFile(path.join(this.root, "answers", `${command}-${type}`), shell);
  }

  async clearAnswer(command: string, type: string): Promise<void> {
    await rm(path.join(this.root, "answers", `${command}-${type}`));
  }

  async configure(file: string, configuration: unknown): Promise<void> {
    const text = typeof configuration === "string" ? configuration : JSON.stringify(configuration);
    await mkdir(path.dirname(path.join(this.networkDir, file)), { recursive: true });
    await writeFile(path.join(this.root, "configuration.tmp"), text);
    await rename(path.join(this.root, "configuration.tmp"), path.join(this.networkDir, file));
  }

  /** Calls other than VERSION, in order. */
  async calls(): Promise<RecordedCall[]> {
    const order = path.join(this.root, "order");
    const lines = (await fileExists(order)) ? (await readFile(order, "utf8")).trim().split("\n") : [];
    return Promise.all(lines.map((line) => this.#call(line)));
  }

  async names(): Promise<string[]> {
    return (await this.calls()).map((call) => call.name);
  }

  async #call(line: string): Promise<RecordedCall> {
    const [command = "", type = "", number = ""] = line.split(" ");
    const directory = path.join(this.root, "calls", number);
    const variables = (await readFile(path.join(directory, "variables"), "utf8")).trim().split("\n");
    return {
      name: `${command} ${type}`,
      variables: Object.fromEntries(
        variables.map((it) => [it.slice(0, it.indexOf("=")), it.slice(it.indexOf("=") + 1)]),
      ),
      input: JSON.parse(await readFile(path.join(directory, "input"), "utf8")) as JsonObject,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}

/** A list of plugins of these types, version 1.0.0 unless `fields` say otherwise. */
export function listOf(types: string[], fields: JsonObject = {}): JsonObject {
  return { cniVersion: "1.0.0", name: "testnet", plugins: types.map((type) => ({ type })), ...fields };
}

/** A pod whose namespace is this process's own, which plugins of this file do not touch. */
export function podOf(sandboxId: string, fields: Partial<PodNetwork> = {}): PodNetwork {
  return {
    sandboxId,
    podName: "web",
    podNamespace: "default",
    podUid: "uid-1",
    netnsPath: "/proc/self/ns/net",
    annotations: {},
    portMappings: [],
    ...fields,
  };
}
