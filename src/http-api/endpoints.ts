import { config } from "./config.ts";
import { containers } from "./containers.ts";
import type { Endpoint } from "./endpoint.ts";
import { info } from "./info.ts";
import { pause } from "./pause.ts";
import { unpause } from "./unpause.ts";

/** All questions that are answered by HTTP/1 on the CRI socket; each is asked with GET. */
export const endpoints: readonly Endpoint[] = [info, config, containers, pause, unpause];
