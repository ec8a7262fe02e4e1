// How long a layer takes from its compressed bytes to files on disk, beside GNU tar on the same bytes in the same run. The layer is made
// on the spot: 15,000 files, about 120 MB as gzip. A second round spreads the files over eight layers that arrive at once.
//
//     node bench/unpack.ts [--rounds 3] [--directory /var/tmp]
import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { createStorage } from "#drivers/storage/disk-storage.ts";
import { silentLogger } from "#observability/logger.ts";
import { imageOf, layerFrom, putImage, type TestLayer } from "../test/support/storage.ts";
import { tarOf, type TarPart } from "../test/support/tar.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, directory: { type: "string", default: os.tmpdir() } },
});
const rounds = Number(values.rounds);
const fileCount = 15_000;
const directoryCount = 1_500;
const unpackedBytes = 290 * 1024 * 1024;

/** Text-like bytes that gzip shrinks to about two fifths, as it does with programs. */
const pool = Buffer.concat(
  Array.from({ length: 16_384 }, (_, i) => (i % 5 < 2 ? randomBytes(512) : Buffer.alloc(512, randomBytes(24)))),
);

function entries(files: number, sizeOf: (i: number) => number): TarPart[] {
  const parts: TarPart[] = [];
  for (let i = 0; i < files; i += 1) {
    const directory = `usr/share/package-${i % Math.ceil((files * directoryCount) / fileCount)}`;
    if (parts.length < (2 * files * directoryCount) / fileCount)
      parts.push({ path: `${directory}/`, kind: "directory" });
    const size = sizeOf(i);
    const offset = (i * 7919 * 512) % (pool.length - Math.min(size, pool.length - 1));
    const content =
      size < pool.length ? pool.subarray(offset, offset + size) : Buffer.concat([pool, pool, pool]).subarray(0, size);
    parts.push({ path: `${directory}/file-${i}.bin`, content, mtimeNs: 1_700_000_000_123_456_789n });
  }
  return parts;
}

/** Mostly small files and a few large ones, as in images. */
function sizes(files: number, total: number): (i: number) => number {
  const small = (total * 0.6) / files;
  const large = (total * 0.4) / Math.ceil(files / 500);
  return (i) => Math.floor(i % 500 === 0 ? large : small * (0.2 + 1.6 * ((i * 0.618) % 1)));
}

function makeLayer(files: number, total: number): TestLayer {
  const tar = tarOf(entries(files, sizes(files, total)));
  const diffId = `sha256:${createHash("sha256").update(tar).digest("hex")}` as const;
  const blob = gzipSync(tar, { level: 5 });
  console.log(`layer: ${files} files, ${megabytes(tar.length)} as tar, ${megabytes(blob.length)} as gzip`);
  return layerFrom(blob, diffId);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

async function timed<T>(work: () => T | Promise<T>): Promise<{ ms: number; result: T }> {
  const start = performance.now();
  const result = await work();
  return { ms: performance.now() - start, result };
}

const directory = mkdtempSync(path.join(values.directory, "berth-bench-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));

/**
 * Nothing is deleted before the end: ext4 does not reuse the inodes of files deleted in the last minute, and creating files
 * beside many such inodes takes ten times as long.
 */
function fresh(name: string): string {
  return mkdtempSync(path.join(directory, `${name}-`));
}

function gnuTar(files: string[]): { cpuMs: number } {
  const target = fresh("gnu-tar");
  const script = files.map((file) => `tar -xzf ${file} -C ${target} &`).join("\n");
  const { stderr, status } = spawnSync("bash", ["-c", `time { ${script}\nwait; }`], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  const seconds = [...stderr.matchAll(/(?:user|sys)\s+(\d+)m([\d.]+)s/g)];
  return { cpuMs: seconds.reduce((sum, [, minutes, rest]) => sum + 60_000 * Number(minutes) + 1000 * Number(rest), 0) };
}

function sync(): void {
  spawnSync("sync", ["-f", directory]);
}

async function berth(layers: TestLayer[]): Promise<{ addMs: number; imageMs: number; cpuMs: number; stallMs: number }> {
  const root = fresh("berth");
  const storage = await createStorage(
    { imageRoot: root, containerRoot: root, runRoot: path.join(root, "run") },
    silentLogger,
  );
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const cpu = process.cpuUsage();
  const { signal } = new AbortController();
  const add = await timed(() => Promise.all(layers.map((layer) => storage.addLayer(layer, { signal }))));
  const image = await timed(() => putImage(storage, imageOf(layers)));
  const { user, system } = process.cpuUsage(cpu);
  await storage.close();
  return { addMs: add.ms, imageMs: image.ms, cpuMs: (user + system) / 1000, stallMs: delay.max / 1e6 };
}

async function compare(name: string, layers: TestLayer[]): Promise<void> {
  const files = layers.map((layer, i) => {
    const file = path.join(directory, `${i}.tar.gz`);
    writeFileSync(file, layer.blob);
    return file;
  });
  for (let round = 1; round <= rounds; round += 1) {
    sync();
    const tar = await timed(() => gnuTar(files));
    const tarSync = await timed(sync);
    sync();
    const own = await berth(layers);
    console.log(
      `${name}: GNU tar ${tar.ms.toFixed(0)} ms (cpu ${tar.result.cpuMs.toFixed(0)}), sync ${tarSync.ms.toFixed(0)} ms; ` +
        `berth ${own.addMs.toFixed(0)} ms (cpu ${own.cpuMs.toFixed(0)}), image record with sync ${own.imageMs.toFixed(0)} ms, ` +
        `longest stall of the main thread ${own.stallMs.toFixed(0)} ms`,
    );
  }
}

await compare("one layer", [makeLayer(fileCount, unpackedBytes)]);
await compare(
  "eight layers",
  Array.from({ length: 8 }, (_, i) => makeLayer(fileCount / 8 + i, unpackedBytes / 8)),
);
