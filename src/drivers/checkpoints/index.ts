import type { CheckpointBindMount } from "#spec/checkpoint.ts";

/** What is made of a container to be kept or carried elsewhere: parts in directories, and archives of them. */
export interface CheckpointFiles {
  /** The absolute path of criu; undefined when it is not in the search path of the runtimes. */
  findCriu(): string | undefined;
  /** Content of a file of criu's options; empty when there is none. */
  criuOptions(file: string): Promise<string>;
  /** What criu's log gives as reasons for a failure, the last ones; empty when it has none. */
  criuErrors(logFile: string): Promise<string>;
  readonly dumps: CheckpointDumps;
  readonly restores: CheckpointRestores;
}

/** Checkpoints that are being made, one per container. A method with a signal rejects with its reason once that aborts. */
export interface CheckpointDumps {
  /** @throws DomainError failed-precondition or invalid-argument when no archive could be put there */
  checkLocation(location: string): Promise<void>;
  /** Makes the places for a checkpoint; what an earlier attempt left is removed. Undone by `end`. */
  begin(containerId: string): Promise<DumpPlaces>;
  /** Ends what an earlier daemon has started for a checkpoint and left running. */
  halt(containerId: string): Promise<void>;
  /** Removes the parts, and an archive that is not finished. Idempotent. */
  end(containerId: string): Promise<void>;
  /** Ids of containers whose checkpoint was not ended, such as by an earlier daemon. */
  unfinished(): Promise<string[]>;
  /** Writes small parts (name → content). */
  write(containerId: string, parts: Readonly<Record<string, string>>): Promise<void>;
  /** What kinds of files the sources of bind mounts are. */
  describe(mounts: readonly { source: string; destination: string }[]): Promise<CheckpointBindMount[]>;
  /** Copies criu's log out, for somebody to read after `end`; nothing happens when there is none. */
  keepLog(containerId: string, file: string): Promise<void>;
  /** Copies a log; nothing happens when there is none. */
  copyLog(containerId: string, logPath: string): Promise<void>;
  /** Packs what `listFile` names, each name ended by NUL, of a root. */
  packChanges(containerId: string, root: string, signal: AbortSignal): Promise<void>;
  /**
   * Packs all parts into one archive that replaces `location` in one step and is readable by root alone.
   * @throws DomainError failed-precondition when it cannot be written there, resource-exhausted when the disk is full
   */
  pack(containerId: string, location: string, signal: AbortSignal): Promise<void>;
}

export interface DumpPlaces {
  /** An existing directory for criu's images. */
  images: string;
  /** An existing directory for criu's log and statistics. */
  work: string;
  /** Paths of files to be made, which are no parts of the checkpoint. */
  listFile: string;
  /** For who the process is that makes it, as JSON of its pid and start time. */
  processFile: string;
}

/** Checkpoints that containers are to be made of, under names that the caller chooses. */
export interface CheckpointRestores {
  /**
   * Takes the parts out of an archive, or out of a directory that holds them. Undone by `discard`.
   * @throws DomainError invalid-argument for what is no checkpoint, or holds anything but regular files
   */
  take(name: string, source: { archive: string } | { directory: string }): Promise<void>;
  /** Directory of criu's images. */
  images(name: string): string;
  /** Path of the tar with what the container had written; undefined when there is none. */
  rootfsDiff(name: string): Promise<string | undefined>;
  /** Content of a small part; undefined when there is none. */
  read(name: string, part: string): Promise<string | undefined>;
  /** Appends the checkpoint's log, if it has one, to a log file that exists. */
  appendLog(name: string, logPath: string): Promise<void>;
  /** Idempotent. */
  discard(name: string): Promise<void>;
  names(): Promise<string[]>;
}
