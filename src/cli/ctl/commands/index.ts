import type { Subcommand } from "../subcommand.ts";
import { exec } from "./exec.ts";
import { images } from "./images.ts";
import { info } from "./info.ts";
import { inspect } from "./inspect.ts";
import { logs } from "./logs.ts";
import { pods } from "./pods.ts";
import { ps } from "./ps.ts";
import { pull } from "./pull.ts";
import { rm } from "./rm.ts";
import { rmi } from "./rmi.ts";
import { rmp } from "./rmp.ts";
import { run } from "./run.ts";
import { stats } from "./stats.ts";
import { stop } from "./stop.ts";
import { version } from "./version.ts";

/** Every word of `berth ctl`, in the order of its help. */
export const subcommands: readonly Subcommand[] = [
  version,
  info,
  pods,
  ps,
  images,
  pull,
  run,
  exec,
  logs,
  inspect,
  stats,
  stop,
  rm,
  rmp,
  rmi,
];
