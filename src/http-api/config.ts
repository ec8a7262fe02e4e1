import type { Endpoint } from "./endpoint.ts";

export const config: Endpoint = {
  path: "/config",
  summary: "The configuration in use, as TOML.",
  answer: ({ renderConfig }) => ({ contentType: "application/toml", body: renderConfig() }),
};
