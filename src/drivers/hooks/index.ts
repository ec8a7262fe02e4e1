import type { OciHooks } from "#spec/oci-runtime.ts";

/** What the conditions of hooks look at. */
export interface HookSubject {
  /** Those of the container and of its pod; the pod's win. */
  annotations: Readonly<Record<string, string>>;
  /** What the container's process executes. */
  command: string;
  /** True when the request mounts anything. */
  hasBindMounts: boolean;
}

/** The hooks that a node's files add to containers, oci-hooks(5). */
export interface Hooks {
  /** Those whose conditions fit; undefined when none does. */
  of(this: void, subject: HookSubject): Promise<OciHooks | undefined>;
  close(this: void): void;
}
