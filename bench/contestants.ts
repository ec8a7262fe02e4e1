import { randomBytes } from "node:crypto";
import { ImageService, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { cniPluginFolder, findProgram } from "../test/support/requirements.ts";
import type { TestRegistry } from "../test/support/registry.ts";
import { prepareBerth } from "./daemons/berth.ts";
import { prepareContainerd } from "./daemons/containerd.ts";
import type { Parts } from "./daemons/crio-conf.ts";
import { prepareCrio } from "./daemons/crio.ts";
import { clearAway, type Daemon, type OwnDaemon } from "./daemons/daemon.ts";
import { externalDaemon } from "./daemons/external.ts";
import { makePlaces, type Places } from "./daemons/places.ts";
import type { OciConfiguration } from "./floor/floor-spec.ts";
import { Floor } from "./floor/floor.ts";
import type { BaseImages } from "./images/images.ts";
import type { BenchOptions } from "./options.ts";
import { removeAllPods, removePods, startPod } from "./pods.ts";

const peers = ["containerd", "crio"] as const;

/** The parts that all contestants share. @throws Error naming what is not installed */
export function sharedParts(
  options: Pick<BenchOptions, "runtime"> & { logLevel?: string },
  registry: TestRegistry,
  images: BaseImages,
): Parts {
  return {
    runtime: options.runtime.startsWith("/") ? options.runtime : required(options.runtime),
    conmon: required("conmon"),
    pluginFolder: cniPluginFolder() ?? "/usr/lib/cni",
    registry: registry.host,
    pauseImage: images.pause,
    logLevel: options.logLevel ?? "warn",
  };
}

/** Which daemons take part: those asked for, or berth and every peer that is installed. */
export function chosenDaemons(options: Pick<BenchOptions, "daemons">): string[] {
  if (options.daemons !== undefined) return options.daemons;
  return ["berth", ...peers.filter((name) => findProgram(name) !== undefined)];
}

/** Starts one of our own daemons; `acquired` takes it away again, also when the start fails. */
export async function startOwnDaemon(
  name: string,
  parts: Parts,
  options: Pick<BenchOptions, "masquerade" | "nodeOptions">,
  acquired: AsyncDisposableStack,
): Promise<OwnDaemon> {
  const places = placesFor(name, options, acquired);
  const daemon = acquired.use(await prepare(name, places, parts, options.nodeOptions));
  await daemon.start();
  acquired.defer(async () => {
    await removeAllPods(daemon);
  });
  return daemon;
}

function prepare(name: string, places: Places, parts: Parts, nodeOptions: string): Promise<OwnDaemon> | OwnDaemon {
  switch (name) {
    case "berth":
      return prepareBerth(places, parts, nodeOptions);
    case "containerd":
      return prepareContainerd(places, parts, required("containerd"));
    case "crio":
      return prepareCrio(places, parts, required("crio"));
    default:
      throw new Error(`there is no daemon ${name}; there are: berth, ${peers.join(", ")}`);
  }
}

/** Connects to a daemon that somebody else runs; its pods of ours are removed at the end. */
export function joinDaemon(
  { name, socket }: { name: string; socket: string },
  options: Pick<BenchOptions, "masquerade">,
  acquired: AsyncDisposableStack,
): Daemon {
  const daemon = externalDaemon(placesFor(name, options, acquired), socket);
  acquired.defer(() => daemon.client.close());
  acquired.defer(() => removeAllPods(daemon));
  return daemon;
}

/** Makes the floor, with the configuration that the first daemon which tells it gave a container. */
export async function layFloor(
  daemons: readonly Daemon[],
  image: string,
  parts: Parts,
  options: Pick<BenchOptions, "masquerade">,
  acquired: AsyncDisposableStack,
): Promise<Floor> {
  const floor = acquired.use(new Floor(placesFor("floor", options, acquired), parts));
  for (const daemon of daemons) {
    const { pod } = await startPod(daemon, image);
    try {
      const { info } = await daemon.client.call(RuntimeService.method.containerStatus, {
        containerId: pod.containerId,
        verbose: true,
      });
      const { runtimeSpec } = JSON.parse(info["info"] ?? "{}") as { runtimeSpec?: OciConfiguration };
      if (runtimeSpec === undefined) continue;
      floor.useTemplate(runtimeSpec);
      return floor;
    } finally {
      await removePods(daemon, [pod]);
    }
  }
  throw new Error("no daemon tells a container's OCI configuration; leave the floor out with --no-floor");
}

/** Every daemon has the image before it is measured. */
export async function pullServiceImage(daemons: readonly Daemon[], image: string): Promise<void> {
  await Promise.all(daemons.map(({ client }) => client.call(ImageService.method.pullImage, { image: { image } })));
}

function placesFor(name: string, options: Pick<BenchOptions, "masquerade">, acquired: AsyncDisposableStack): Places {
  const places = makePlaces(name, randomBytes(3).toString("hex"), options);
  acquired.defer(() => clearAway(places));
  return places;
}

function required(program: string): string {
  const found = findProgram(program);
  if (found === undefined) throw new Error(`${program} is not installed`);
  return found;
}
