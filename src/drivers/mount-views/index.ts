import type { OciSpec } from "#spec/oci-runtime.ts";

/** What a runtime sees of the host's mounts while it makes one container. Disposing it takes nothing from a container that was made. */
export interface MountView extends Disposable {
  /** Words before the runtime's own on its command line, by which it gets this view; none where it sees what the host sees. */
  readonly command: readonly string[];
  /**
   * Leaves the mounts of other pods out, unless the container could see the difference. To be called when all that the container needs is
   * mounted. What cannot be left out is seen: that is slower, not wrong.
   */
  narrow(spec: OciSpec): Promise<void>;
}

/**
 * Keeps what is mounted for pods out of the sight of others. Runtimes read the table of mounts several times for each container, and copy
 * it: beside hundreds of pods that takes them longer than all else.
 */
export interface MountViews {
  /** A view for a runtime handler that sees all, as long as it is not narrowed. */
  open(handler: string): MountView;
  /** Takes away what was mounted for it, once no pod has mounts any more. */
  close(): Promise<void>;
}
