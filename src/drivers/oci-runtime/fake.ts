import type { OciRuntime, OciRuntimes } from "./index.ts";

/** A runtime that does nothing but remember what was asked of it; tests say what else its methods do. */
export function fakeRuntime(methods: Partial<OciRuntime> = {}): OciRuntime & { calls: string[] } {
  const calls: string[] = [];
  const done =
    (call: string): (() => Promise<void>) =>
    async () =>
      void calls.push(call);
  return {
    handler: "runc",
    path: "/usr/sbin/runc",
    root: "/run/runc",
    globalArgs: [],
    calls,
    start: done("start"),
    resumeStart: done("resumeStart"),
    delete: done("delete"),
    kill: done("kill"),
    update: done("update"),
    pause: done("pause"),
    resume: done("resume"),
    checkpoint: done("checkpoint"),
    state: async () => undefined,
    canCheckpoint: async () => true,
    features: async () => undefined,
    exec: () => Promise.reject(new Error("not faked")),
    startExec: () => Promise.reject(new Error("not faked")),
    ...methods,
  };
}

/** One runtime for all handlers. */
export function fakeRuntimes(runtime: OciRuntime): OciRuntimes {
  return {
    defaultHandler: runtime.handler,
    handlers: [runtime.handler],
    get: () => runtime,
    forPlatform: () => runtime,
  };
}
