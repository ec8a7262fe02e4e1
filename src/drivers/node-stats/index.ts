/** Descriptors and limits of the processes of one container. */
export interface ProcessUsage {
  processes: number;
  fileDescriptors: number;
  sockets: number;
  /** Soft limit of open files of the first process; undefined when unlimited or gone. */
  softOpenFilesLimit: number | undefined;
}

export interface FilesystemCapacity {
  totalBytes: number;
  inodesTotal: number;
  inodesFree: number;
}

/** What metrics tell beyond the groups' own accounting. */
export interface NodeStats {
  /** Looks at each process; those that end meanwhile count nothing. */
  processUsage(pids: readonly number[]): Promise<ProcessUsage>;
  /** Of the file system that `directory` is on. Undefined when there is none. */
  filesystemCapacity(directory: string): Promise<FilesystemCapacity | undefined>;
}
