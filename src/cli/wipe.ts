import { type Config, type FlagValues, loadConfig } from "#config/index.ts";
import { connect } from "#cri/client.ts";
import { ImageService, PodSandboxState, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { messageOf } from "#errors/domain-error.ts";
import { isAnswering } from "#lib/listen-on-socket.ts";
import { openDaemonLog } from "./daemon-log.ts";
import { parseFlags } from "./flag-parser.ts";
import { configSources, logTarget } from "./global-flags.ts";
import { socketFlag } from "./status.ts";

const callTimeoutMs = 120_000;

/** What pods and images are removed by: a running daemon, or its parts in this process. */
interface Wipeable extends AsyncDisposable {
  pods(): Promise<{ id: string; ready: boolean }[]>;
  removePod(id: string): Promise<void>;
  images(): Promise<string[]>;
  removeImage(id: string): Promise<void>;
}

/**
 * `berth wipe [-f] [-s SOCKET]`: removes pods that have ended, as all have after a reboot. With -f, all pods and all images.
 * A daemon that runs does the work, otherwise this process.
 */
export async function wipe(global: FlagValues, argv: readonly string[]): Promise<number> {
  const { values } = parseFlags(argv, [socketFlag, { names: ["force"], short: "f", isBoolean: true }]);
  const force = values.has("force");
  const { config } = await loadConfig(configSources(global, process.env));
  const socket = values.get("socket")?.at(-1) ?? config.api.listen;
  await using target = (await byDaemon(socket)) ?? (await byOurselves(config, global));

  const pods = await target.pods();
  const wanted = pods.filter(({ ready }) => force || !ready).map(({ id }) => id);
  const failures = await removeEach(wanted, (id) => target.removePod(id));
  if (force) failures.push(...(await removeEach(await target.images(), (id) => target.removeImage(id))));
  const left = pods.length - wanted.length;
  if (left > 0)
    process.stderr.write(`berth wipe: ${left} pods are ready and stay; --force removes all pods and images\n`);
  for (const failure of failures) process.stderr.write(`berth wipe: ${failure}\n`);
  return failures.length === 0 ? 0 : 1;
}

/** Undefined when nobody answers on the socket. */
async function byDaemon(socket: string): Promise<Wipeable | undefined> {
  if (!(await isAnswering(socket))) return undefined;
  const client = connect(socket, { defaultTimeoutMs: callTimeoutMs });
  return {
    async pods() {
      const { items } = await client.call(RuntimeService.method.listPodSandbox, {});
      return items.map(({ id, state }) => ({ id, ready: state === PodSandboxState.SANDBOX_READY }));
    },
    async removePod(podSandboxId) {
      await client.call(RuntimeService.method.stopPodSandbox, { podSandboxId });
      await client.call(RuntimeService.method.removePodSandbox, { podSandboxId });
    },
    async images() {
      const { images } = await client.call(ImageService.method.listImages, {});
      return images.map(({ id }) => id);
    },
    async removeImage(image) {
      await client.call(ImageService.method.removeImage, { image: { image } });
    },
    [Symbol.asyncDispose]: () => Promise.resolve(client.close()),
  };
}

/** @throws DomainError failed-precondition when a daemon has the storage open that listens elsewhere */
async function byOurselves(config: Config, global: FlagValues): Promise<Wipeable> {
  const { openWithoutServer } = await import("#daemon/without-server.ts");
  const log = openDaemonLog(config, logTarget(global, process.env));
  const opened = await openWithoutServer(config, log.logger);
  const { sandboxes, images } = opened.runtime;
  return {
    pods: () =>
      Promise.resolve(sandboxes.list({ labels: {} }).map(({ id, state }) => ({ id, ready: state.kind === "ready" }))),
    async removePod(id) {
      await sandboxes.stop(id, undefined);
      await sandboxes.remove(id);
    },
    images: () => Promise.resolve(images.list("").map(({ id }) => id)),
    removeImage: (id) => images.remove(id),
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      await log.flush();
    },
  };
}

/** Tries every one; returns what failed. */
async function removeEach(ids: readonly string[], remove: (id: string) => Promise<void>): Promise<string[]> {
  const failures: string[] = [];
  for (const id of ids) {
    try {
      await remove(id);
      process.stdout.write(`${id}\n`);
    } catch (error) {
      failures.push(`${id}: ${messageOf(error)}`);
    }
  }
  return failures;
}
