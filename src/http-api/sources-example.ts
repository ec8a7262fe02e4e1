import { exampleContainer, exampleSandbox } from "#domain/pod/entity-examples.ts";
import type { Runtime } from "#domain/runtime.ts";
import { DomainError } from "#errors/domain-error.ts";
import type { HttpApiSources } from "./endpoint.ts";

// One pod with one running container, for tests of the endpoints.

export const sandbox = exampleSandbox();

export const container = exampleContainer({ process: { pid: 4711, startTime: "1" } });

const verbose = { pid: 4711, runtimeSpec: { annotations: { kept: "by berth" } } };

/** Sources that know the pod and the container above; `containers` replaces methods that a test watches. */
export function exampleSources(containers: Partial<Runtime["containers"]> = {}): HttpApiSources {
  const only =
    <T extends { id: string }>(entity: T) =>
    (id: string) => {
      if (entity.id.startsWith(id)) return entity;
      throw new DomainError("not-found", `there is no ${id}`);
    };
  const known: Partial<Runtime["containers"]> = {
    get: only(container),
    list: () => [container],
    verbose: () => Promise.resolve({ info: JSON.stringify(verbose) }),
    ...containers,
  };
  return {
    runtime: {
      sandboxes: { get: only(sandbox) } as unknown as Runtime["sandboxes"],
      containers: known as Runtime["containers"],
      node: { cgroupDriver: () => "cgroupfs" } as Runtime["node"],
    },
    storageRoot: "/var/lib/berth",
    imageStore: "",
    rootOf: (id) => `/var/lib/berth/${id.slice(0, 2)}/merged`,
    renderConfig: () => "[crio]\n",
  };
}
