import type { Runtime } from "#domain/runtime.ts";

/** What the endpoints answer from. */
export interface HttpApiSources {
  runtime: Pick<Runtime, "sandboxes" | "containers" | "node">;
  /** `root` and `imagestore` of the configuration. */
  storageRoot: string;
  imageStore: string;
  /** Where a container's root is, with `diff` beside it. */
  rootOf: (containerId: string) => string;
  /** The configuration in use, as TOML. */
  renderConfig: () => string;
}

export interface HttpAnswer {
  contentType: "application/json" | "application/toml" | "text/plain; charset=utf-8";
  body: string;
}

/** One question that is answered by HTTP/1 on the CRI socket. */
export interface Endpoint {
  /** `/containers/{id}`: what stands for `{id}` is given to `answer`. */
  path: string;
  /** One sentence for the documentation. */
  summary: string;
  /**
   * Answers with status 200.
   * @throws DomainError not-found (404), invalid-argument (400), failed-precondition (409), anything else (500)
   */
  answer(sources: HttpApiSources, id: string): HttpAnswer | Promise<HttpAnswer>;
}

export function jsonAnswer(value: unknown): HttpAnswer {
  return { contentType: "application/json", body: JSON.stringify(value) };
}
