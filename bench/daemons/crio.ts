import { writeFileSync } from "node:fs";
import path from "node:path";
import { writeConfiguration, type Parts } from "./crio-conf.ts";
import { OwnDaemon } from "./daemon.ts";
import type { Places } from "./places.ts";

/** CRI-O from PATH, prepared and not started. `pinns` is looked for beside it. */
export function prepareCrio(places: Places, parts: Parts, program: string): OwnDaemon {
  const files = writeConfiguration(places, parts, {
    crio: ['storage_driver = "overlay"'],
    "crio.runtime": [`pinns_path = ${JSON.stringify(path.join(path.dirname(program), "pinns"))}`],
  });
  const storageConf = path.join(places.folder, "storage.conf");
  writeFileSync(storageConf, '[storage]\ndriver = "overlay"\n');
  return new OwnDaemon(places, {
    argv: [program, "--config", files.crioConf, "--config-dir", ""],
    environment: {
      CONTAINER_REGISTRIES_CONF: files.registriesConf,
      CONTAINER_REGISTRIES_CONF_DIR: files.registriesConfFolder,
      CONTAINERS_STORAGE_CONF: storageConf,
    },
  });
}
