import { readdir, readFile, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { type CdiContainerEdits, type CdiSpecFile, parseCdiSpec, parseDeviceName } from "./cdi-spec.ts";
import type { Cdi, CdiDeviceNode, CdiEdits, HostDevice } from "./index.ts";

/** A device and the file that defines it. */
interface KnownDevice {
  edits: CdiContainerEdits;
  file: string;
  spec: CdiSpecFile;
}

/**
 * CDI devices from JSON and YAML files. A device of a later directory replaces one of an earlier directory; two in one directory make
 * the name unusable, since nobody can say which is meant.
 */
export class CdiFiles implements Cdi {
  readonly #directories: () => readonly string[];
  readonly #findDevice: (hostPath: string) => Promise<HostDevice[]>;
  #devices = new Map<string, KnownDevice>();
  #conflicts = new Map<string, string>();
  #problems: { file: string; reason: string }[] = [];
  /** Of the files when they were read. */
  #version = "";

  /** `directories` may change. */
  constructor(directories: () => readonly string[], findDevice: (hostPath: string) => Promise<HostDevice[]>) {
    this.#directories = directories;
    this.#findDevice = findDevice;
  }

  async refresh(): Promise<void> {
    const directories = this.#directories();
    // Before they are read: what is written meanwhile is seen the next time.
    const version = await versionOf(directories);
    const loaded = new LoadedFiles();
    for (const directory of directories) await loaded.readDirectory(directory);
    this.#devices = loaded.devices;
    this.#conflicts = loaded.conflicts;
    this.#problems = loaded.problems;
    this.#version = version;
  }

  problems(): readonly { file: string; reason: string }[] {
    return this.#problems;
  }

  async resolve(names: readonly string[]): Promise<CdiEdits> {
    const wanted = [...new Set(names)];
    for (const name of wanted) parseDeviceName(name);
    if (wanted.length > 0) await this.#refreshIfChanged(wanted);
    const result: CdiEdits = {
      env: [],
      mounts: [],
      devices: [],
      hooks: [],
      additionalGids: [],
      intelRdtClosId: undefined,
    };
    const specs = new Set<CdiSpecFile>();
    for (const name of wanted) {
      const device = this.#known(name);
      if (!specs.has(device.spec)) await this.#add(result, device.spec.containerEdits ?? {});
      specs.add(device.spec);
      await this.#add(result, device.edits);
    }
    return result;
  }

  /** Device plugins write a file and name its devices at once; drivers that are updated write theirs anew. */
  async #refreshIfChanged(wanted: readonly string[]): Promise<void> {
    const isKnown = wanted.every((name) => this.#devices.has(name));
    if (!isKnown || (await versionOf(this.#directories())) !== this.#version) await this.refresh();
  }

  #known(name: string): KnownDevice {
    const conflict = this.#conflicts.get(name);
    if (conflict !== undefined) throw new DomainError("failed-precondition", `the CDI device ${name} ${conflict}`);
    const device = this.#devices.get(name);
    if (device !== undefined) return device;
    const problems = this.#problems.map(({ file, reason }) => `; ${file} cannot be used: ${reason}`).join("");
    throw new DomainError(
      "not-found",
      `no file in ${this.#directories().join(", ")} defines the CDI device ${name}${problems}`,
    );
  }

  async #add(result: CdiEdits, edits: CdiContainerEdits): Promise<void> {
    result.env.push(...(edits.env ?? []));
    result.additionalGids.push(...(edits.additionalGids ?? []).filter((gid) => gid !== 0));
    result.intelRdtClosId = edits.intelRdt?.closID ?? result.intelRdtClosId;
    for (const { hostPath, containerPath, type, options } of edits.mounts ?? [])
      result.mounts.push({
        hostPath: await withoutSymlinks(hostPath),
        containerPath,
        type: type ?? "bind",
        options: options ?? ["rbind", "ro"],
      });
    for (const { hookName, path: program, args, env, timeout } of edits.hooks ?? [])
      result.hooks.push({ hookName, path: program, args: args ?? [], env: env ?? [], timeoutSeconds: timeout });
    for (const node of edits.deviceNodes ?? []) result.devices.push(await this.#deviceNode(node));
  }

  /** What the file leaves out is what the host's node is. */
  async #deviceNode(node: NonNullable<CdiContainerEdits["deviceNodes"]>[number]): Promise<CdiDeviceNode> {
    const complete = node.type !== undefined && (node.type === "p" || (node.major ?? 0) > 0);
    const host = complete ? undefined : (await this.#findDevice(node.hostPath ?? node.path))[0];
    const type = (["c", "u", "b", "p"] as const).find((one) => one === (node.type ?? host?.type));
    if (type === undefined)
      throw new DomainError("invalid-argument", `the CDI device node ${node.path} has the unknown type ${node.type}`);
    return {
      path: node.path,
      type,
      major: complete ? node.major : host?.major,
      minor: complete ? node.minor : host?.minor,
      fileMode: node.fileMode ?? host?.fileMode,
      uid: node.uid ?? host?.uid,
      gid: node.gid ?? host?.gid,
      permissions: node.permissions ?? "rwm",
    };
  }
}

/** Something that differs whenever a file was added, removed, replaced or written. */
async function versionOf(directories: readonly string[]): Promise<string> {
  const files = await Promise.all(
    directories.map(async (directory) => {
      const names = await readdir(directory).catch(() => []);
      return names.map((name) => path.join(directory, name)).sort();
    }),
  );
  const states = files.flat().map((file) =>
    stat(file, { bigint: true }).then(
      ({ ino, mtimeNs, size }) => `${file} ${ino} ${mtimeNs} ${size}`,
      () => `${file} missing`,
    ),
  );
  return [...directories, ...(await Promise.all(states))].join("\n");
}

/** What one reading of all directories finds. */
class LoadedFiles {
  readonly devices = new Map<string, KnownDevice>();
  readonly conflicts = new Map<string, string>();
  readonly problems: { file: string; reason: string }[] = [];

  async readDirectory(directory: string): Promise<void> {
    const names = await readdir(directory).catch((error: unknown) => {
      if (!hasErrno(error, "ENOENT")) this.problems.push({ file: directory, reason: messageOf(error) });
      return [];
    });
    for (const name of names.sort((a, b) => (a < b ? -1 : 1))) {
      const file = path.join(directory, name);
      if (name.endsWith(".json")) await this.#readFile(file, directory, "json");
      else if (/\.ya?ml$/.test(name)) await this.#readFile(file, directory, "yaml");
    }
  }

  async #readFile(file: string, directory: string, format: "json" | "yaml"): Promise<void> {
    try {
      this.#addSpec(parseCdiSpec(await readFile(file, "utf8"), format), file, directory);
    } catch (error) {
      this.problems.push({ file, reason: messageOf(error) });
    }
  }

  #addSpec(spec: CdiSpecFile, file: string, directory: string): void {
    for (const { name, containerEdits } of spec.devices) {
      const full = `${spec.kind}=${name}`;
      const earlier = this.devices.get(full);
      if (earlier !== undefined && path.dirname(earlier.file) === directory)
        this.conflicts.set(full, `is defined twice, in ${earlier.file} and ${file}`);
      else this.conflicts.delete(full);
      this.devices.set(full, { edits: containerEdits, file, spec });
    }
  }
}

/** Where it leads; as it is when it does not exist, which the runtime says in its own words. */
async function withoutSymlinks(hostPath: string): Promise<string> {
  return realpath(hostPath).catch(() => hostPath);
}
