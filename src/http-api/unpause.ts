import type { Endpoint } from "./endpoint.ts";

export const unpause: Endpoint = {
  path: "/unpause/{id}",
  summary: "Lets the processes of a paused container go on.",
  async answer({ runtime }, id) {
    await runtime.containers.unpause(id);
    return { contentType: "text/plain; charset=utf-8", body: "200 OK" };
  },
};
