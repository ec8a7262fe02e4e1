import { parseArgs } from "node:util";

export interface BenchOptions {
  quick: boolean;
  /** Beginnings of scenario names; empty for all. */
  only: string[];
  /** Names of daemons; `undefined` for berth and what is installed. */
  daemons: string[] | undefined;
  /** Daemons that run already. */
  sockets: { name: string; socket: string }[];
  /** Name or path of the OCI runtime. */
  runtime: string;
  masquerade: boolean;
  floor: boolean;
  overrides: Map<string, number>;
  nodeOptions: string;
}

export const usage = `Measures CRI daemons side by side.

  --quick                    small sizes: about three minutes for all scenarios
  --only NAME,NAME           scenarios whose names begin so
  --daemons NAME,NAME        of berth, containerd and crio; by default berth and those that are installed
  --socket NAME=PATH         another CRI socket, of a daemon that runs already; may be repeated
  --runtime NAME             the OCI runtime of all of them (runc)
  --no-masquerade            pods' packets keep their source address
  --no-floor                 leave out the runtime and the plugins called directly
  --set SCENARIO.SIZE=NUMBER another size, e.g. pod-start.rounds=100; may be repeated
  --node-options TEXT        NODE_OPTIONS for berth, e.g. --cpu-prof
`;

/** Reads the command line; undefined asks for help. @throws Error with what is wrong */
export function parseOptions(argv: string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: argv,
    allowNegative: true,
    options: {
      help: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      daemons: { type: "string" },
      socket: { type: "string", multiple: true, default: [] },
      runtime: { type: "string", default: "runc" },
      masquerade: { type: "boolean", default: true },
      floor: { type: "boolean", default: true },
      set: { type: "string", multiple: true, default: [] },
      "node-options": { type: "string", default: "" },
    },
  });
  if (values.help) return undefined;
  return {
    quick: values.quick,
    only: words(values.only),
    daemons: values.daemons === undefined ? undefined : words(values.daemons),
    sockets: values.socket.map(namedSocket),
    runtime: values.runtime,
    masquerade: values.masquerade,
    floor: values.floor,
    overrides: new Map(values.set.map(sizeOverride)),
    nodeOptions: values["node-options"],
  };
}

function words(text: string): string[] {
  return text.split(",").filter(Boolean);
}

function namedSocket(text: string): { name: string; socket: string } {
  const [, name, socket] = /^([a-z0-9-]+)=(\/.+)$/.exec(text) ?? [];
  if (name === undefined || socket === undefined) throw new Error(`--socket ${text}: NAME=/PATH is expected`);
  return { name, socket };
}

function sizeOverride(text: string): [string, number] {
  const [, name, value] = /^([a-z-]+\.[A-Za-z]+)=(\d+)$/.exec(text) ?? [];
  if (name === undefined) throw new Error(`--set ${text}: SCENARIO.SIZE=NUMBER is expected`);
  return [name, Number(value)];
}
