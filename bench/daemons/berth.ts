import { copyFileSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import { freePort } from "../../test/support/registry.ts";
import { writeConfiguration, type Parts } from "./crio-conf.ts";
import { OwnDaemon } from "./daemon.ts";
import type { Places } from "./places.ts";

const home = path.resolve(import.meta.dirname, "../..");

/** This checkout's berth, prepared and not started. `nodeOptions` go into NODE_OPTIONS, to profile it. */
export async function prepareBerth(places: Places, parts: Parts, nodeOptions = ""): Promise<OwnDaemon> {
  const metricsPort = await freePort();
  const file = (name: string): string => path.join(places.folder, name);
  const files = writeConfiguration(places, parts, {
    "crio.metrics": ["enable_metrics = true", `metrics_port = ${metricsPort}`],
    berth: [
      `registries_conf = ${JSON.stringify(file("registries.conf"))}`,
      `registries_conf_dir = ${JSON.stringify(file("registries.conf.d"))}`,
    ],
  });
  const launcher = privateLauncher(file("home"));
  return new OwnDaemon(places, {
    argv: [launcher, "serve", "--config", files.crioConf, "--config-dir", ""],
    metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
    ...(nodeOptions === "" ? {} : { environment: { NODE_OPTIONS: nodeOptions } }),
  });
}

/**
 * The launcher with a copy of Node of its own: pages of the one that runs the benchmark would be shared with it, and the
 * proportional set size of berth would look half as large as it is on a node.
 */
function privateLauncher(folder: string): string {
  const modules = path.join(folder, "node_modules");
  mkdirSync(path.join(folder, "bin"), { recursive: true });
  mkdirSync(modules);
  copyFileSync(path.join(home, "bin/berth"), path.join(folder, "bin/berth"));
  symlinkSync(path.join(home, "src"), path.join(folder, "src"));
  for (const name of readdirSync(path.join(home, "node_modules"))) {
    const original = path.join(home, "node_modules", name);
    if (!name.startsWith("node-linux-")) continue;
    mkdirSync(path.join(modules, name, "bin"), { recursive: true });
    copyFileSync(path.join(original, "bin/node"), path.join(modules, name, "bin/node"));
  }
  return path.join(folder, "bin/berth");
}
