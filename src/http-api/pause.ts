import type { Endpoint } from "./endpoint.ts";

export const pause: Endpoint = {
  path: "/pause/{id}",
  summary: "Freezes all processes of a running container.",
  async answer({ runtime }, id) {
    await runtime.containers.pause(id);
    return { contentType: "text/plain; charset=utf-8", body: "200 OK" };
  },
};
