import type { Runtime } from "#domain/runtime.ts";

/** Parts of a runtime, each with the methods that a test expects to be called. */
export type ExpectedCalls = { [Part in keyof Runtime]?: Partial<Runtime[Part]> };

/** A runtime for tests of the edge; what the test does not expect throws. */
export function fakeRuntime(expected: ExpectedCalls): Runtime {
  const { stats, events, checkpoints } = expected;
  return {
    sandboxes: only("sandboxes", expected.sandboxes ?? {}),
    containers: only("containers", expected.containers ?? {}),
    images: only("images", expected.images ?? {}),
    node: only("node", expected.node ?? {}),
    ...(stats === undefined ? {} : { stats: only("stats", stats) }),
    ...(events === undefined ? {} : { events: only("events", events) }),
    ...(checkpoints === undefined ? {} : { checkpoints: only("checkpoints", checkpoints) }),
  };
}

function only<T extends object>(part: string, methods: Partial<T>): T {
  return new Proxy(methods, {
    get(target, name) {
      if (name in target) return Reflect.get(target, name);
      return () => {
        throw new Error(`the test does not expect ${part}.${String(name)}`);
      };
    },
  }) as T;
}
