import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { ImageService } from "#cri/gen/runtime/v1/api_pb.ts";
import type { Daemon } from "../daemons/daemon.ts";
import { BulkLayer, type BulkCompression } from "../images/bulk-layer.ts";
import { imageOf } from "../images/images.ts";
import { wholeCpuMs } from "../measure/processor-time.ts";
import { timedMs } from "../measure/timed.ts";
import { eachDaemon, figuresOf, standAll, type Bench, type Scenario } from "./scenario.ts";

const name = "pull";
const { pullImage, removeImage } = ImageService.method;

const execFileAsync = promisify(execFile);

interface PullSizes extends Record<string, number> {
  /** Of the one large layer, before compression. */
  files: number;
  megabytes: number;
  /** Of each of eight layers. */
  smallFiles: number;
  smallMegabytes: number;
  rounds: number;
}

interface Layers {
  one: BulkLayer;
  eight: BulkLayer[];
}

/** One kind of pull: makes an image that no daemon has seen in this round, and how it is pulled. */
interface Kind {
  name: string;
  make(layers: Layers): Promise<Parameters<typeof imageOf>[0]>;
  /** How many requests for it come at the same time. */
  atOnce?: number;
  /** An image with most of its layers is there already. */
  withBase?: boolean;
}

const kinds: Kind[] = [
  { name: "one layer, gzip", make: async ({ one }) => [await one.fresh("gzip")] },
  { name: "eight layers, gzip", make: ({ eight }) => freshAll(eight, "gzip") },
  { name: "one layer, zstd", make: async ({ one }) => [await one.fresh("zstd")] },
  { name: "eight layers, zstd", make: ({ eight }) => freshAll(eight, "zstd") },
  { name: "ten pulls of one image at once", make: ({ eight }) => freshAll(eight, "gzip"), atOnce: 10 },
  { name: "seven of eight layers present", make: ({ eight }) => freshAll(eight, "gzip"), withBase: true },
];

/**
 * Pulls from a registry on loopback. Nothing is removed before the end: ext4 does not reuse the inodes of files that were just
 * deleted, and creating files beside many of them takes ten times as long.
 */
export const pull: Scenario<PullSizes> = {
  name,
  about: "pulls from a loopback registry into an empty store",
  quick: { files: 3000, megabytes: 58, smallFiles: 400, smallMegabytes: 6, rounds: 1 },
  full: { files: 15_000, megabytes: 290, smallFiles: 1875, smallMegabytes: 48, rounds: 3 },

  async run(bench, sizes) {
    await standAll(bench, name, 0);
    bench.progress(`${name}: making layers`);
    const layers: Layers = {
      one: new BulkLayer({ files: sizes.files, unpackedBytes: sizes.megabytes * 1e6 }),
      eight: Array.from(
        { length: 8 },
        () => new BulkLayer({ files: sizes.smallFiles, unpackedBytes: sizes.smallMegabytes * 1e6 }),
      ),
    };
    const pulled = new Map<Daemon, string[]>();
    try {
      for (const kind of kinds) await measureKind(bench, kind, layers, sizes.rounds, pulled);
    } finally {
      for (const [daemon, images] of pulled)
        for (const image of images) await daemon.client.call(removeImage, { image: { image } }).catch(() => {});
    }
  },
};

async function measureKind(
  bench: Bench,
  kind: Kind,
  layers: Layers,
  rounds: number,
  pulled: Map<Daemon, string[]>,
): Promise<void> {
  bench.progress(`${name}: ${kind.name}`);
  const images = new Map<number, Pushed>();
  await eachDaemon(bench, name, rounds, async ({ daemon }, round) => {
    const image = images.get(round) ?? (await push(bench, kind, layers, round));
    images.set(round, image);
    const seen = pulled.get(daemon) ?? [];
    pulled.set(daemon, [...seen, image.whole, ...(image.base === undefined ? [] : [image.base])]);
    if (image.base !== undefined) await pullOnce(daemon, image.base);
    await measure(bench, daemon, kind, image.whole);
  });
}

async function measure(bench: Bench, daemon: Daemon, kind: Kind, image: string): Promise<void> {
  // What was written before must not be written now.
  await syncDisks();
  const add = figuresOf(bench, name);
  const cpuBefore = wholeCpuMs(daemon);
  const ms = await timedMs(() => Promise.all(Array.from({ length: kind.atOnce ?? 1 }, () => pullOnce(daemon, image))));
  const cpuAfter = wholeCpuMs(daemon);
  add(kind.name, "ms", daemon.name, ms);
  if (cpuBefore !== undefined && cpuAfter !== undefined)
    add(`${kind.name}: processor time`, "ms CPU", daemon.name, cpuAfter - cpuBefore);
}

async function syncDisks(): Promise<void> {
  await execFileAsync("sync");
}

async function pullOnce(daemon: Daemon, image: string): Promise<void> {
  await daemon.client.call(pullImage, { image: { image } });
}

interface Pushed {
  whole: string;
  base: string | undefined;
}

async function push(bench: Bench, kind: Kind, layers: Layers, round: number): Promise<Pushed> {
  const made = await kind.make(layers);
  const repository = `bench/${kind.name.replaceAll(/[^a-z]+/g, "-")}`;
  const base =
    kind.withBase === true
      ? await bench.registry.push(imageOf(made.slice(0, -1)), repository, `base${round}`)
      : undefined;
  return { whole: await bench.registry.push(imageOf(made), repository, `whole${round}`), base };
}

function freshAll(layers: readonly BulkLayer[], compression: BulkCompression) {
  return Promise.all(layers.map((layer) => layer.fresh(compression)));
}
