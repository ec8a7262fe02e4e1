import assert from "node:assert/strict";
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { setTimeout as pause } from "node:timers/promises";
import { CriCallError, type CodeName } from "#cri/client.ts";
import { ContainerState, ImageService, PodSandboxState, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import type { TestDaemon } from "./daemon.ts";
import { buildImage } from "./image-builder.ts";
import { containerConfig, podConfig, untilTerminated, type PodConfig } from "./pods.ts";
import type { TestRegistry } from "./registry.ts";

const { method } = RuntimeService;

/** What a kubelet tries again for: nobody was there, or it has hung up itself. */
const passing: readonly CodeName[] = ["UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED"];
/** What a container is told whose pod is being taken away; the last when it was made, and stopped, before the call was repeated. */
const podIsGoing: readonly CodeName[] = ["NOT_FOUND", "FAILED_PRECONDITION", "ABORTED", "ALREADY_EXISTS"];

const impatientShare = 0.3;
const longestImpatientMs = 200;
const patientMs = 60_000;
const againMs = 20;

/** A generator of numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Pods, containers, commands and images by the CRI, as a kubelet has them that hangs up at any moment and asks again until it gets an
 * answer. Each answer is compared with what has to be true then.
 */
export class ImpatientNode {
  pods = 0;
  images = 0;
  #containers = 0;
  #commands = 0;
  #repeated = 0;
  readonly #daemon: TestDaemon;
  readonly #registry: TestRegistry;
  readonly #busybox: string;
  readonly #random: () => number;

  constructor(daemon: TestDaemon, registry: TestRegistry, busybox: string, random: () => number) {
    this.#daemon = daemon;
    this.#registry = registry;
    this.#busybox = busybox;
    this.#random = random;
  }

  told(): string {
    return `${this.pods} pods, ${this.#containers} containers, ${this.#commands} commands, ${this.images} images; ${this.#repeated} calls repeated`;
  }

  /** One pod after the other. */
  async podsUntil(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      const config = podConfig(this.#daemon, "chaos");
      const { podSandboxId } = await this.#insist(method.runPodSandbox, { config });
      const isCutShort = this.#random() < 0.2;
      const containers = Array.from({ length: 1 + Math.floor(this.#random() * 2) }, (_, index) =>
        this.#container(podSandboxId, config, `c${index}`).catch((error: unknown) => {
          // Nor can its state or exit code be told beforehand.
          const isExpected = error instanceof assert.AssertionError || hasCode(error, podIsGoing);
          if (!isCutShort || !isExpected) throw error;
        }),
      );
      if (isCutShort) await pause(this.#random() * 150);
      else await Promise.all(containers);
      const results = await Promise.allSettled([this.#removePod(podSandboxId), ...containers]);
      for (const result of results) if (result.status === "rejected") throw result.reason;
      this.pods += 1;
    }
  }

  /** One image after the other, each new. */
  async pullsUntil(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      const content = Buffer.alloc(1 << 20, `image ${this.images} `);
      const built = buildImage({ layers: [{ entries: [{ path: "data", content }] }] });
      const image = { image: await this.#registry.push(built, "test/chaos", `n${this.images}`) };
      await this.#insist(ImageService.method.pullImage, { image });
      assert.ok(
        (await this.#insist(ImageService.method.imageStatus, { image })).image,
        "an image is not there after its pull",
      );
      await this.#insist(ImageService.method.removeImage, { image });
      const { image: left } = await this.#insist(ImageService.method.imageStatus, { image });
      assert.equal(left, undefined, "an image is there after its removal");
      this.images += 1;
    }
  }

  async #container(podSandboxId: string, sandboxConfig: PodConfig, name: string): Promise<void> {
    const endsAlone = this.#random() < 0.3;
    const command = endsAlone ? ["sh", "-c", "exit 7"] : untilTerminated;
    const config = containerConfig(this.#busybox, name, command);
    const { containerId } = await this.#insist(method.createContainer, { podSandboxId, config, sandboxConfig });
    this.#containers += 1;
    if (this.#random() < 0.1) return;
    await this.#start(containerId);
    if (endsAlone) return this.#endsWith(containerId, 7);
    await this.#execute(containerId);
    if (this.#random() < 0.5) return;
    await this.#insist(method.stopContainer, { containerId, timeout: BigInt(Math.floor(this.#random() * 3)) });
    assert.equal(await this.#state(containerId), ContainerState.CONTAINER_EXITED, "a container is stopped");
    await this.#insist(method.removeContainer, { containerId });
    const status = this.#insist(method.containerStatus, { containerId });
    await assert.rejects(status, (error) => hasCode(error, ["NOT_FOUND"]), "a container is there after its removal");
  }

  /** A start whose answer was lost is refused when it is asked for again. */
  async #start(containerId: string): Promise<void> {
    try {
      await this.#insist(method.startContainer, { containerId });
    } catch (error) {
      const state = await this.#state(containerId);
      const hasStarted = state === ContainerState.CONTAINER_RUNNING || state === ContainerState.CONTAINER_EXITED;
      if (!hasCode(error, ["FAILED_PRECONDITION"]) || !hasStarted) throw error;
    }
  }

  async #execute(containerId: string): Promise<void> {
    for (let count = Math.floor(this.#random() * 4); count > 0; count -= 1) {
      const answer = await this.#insist(method.execSync, {
        containerId,
        cmd: ["sh", "-c", "echo out; exit 3"],
        timeout: 30n,
      });
      assert.deepEqual([Buffer.from(answer.stdout).toString(), answer.exitCode], ["out\n", 3]);
      this.#commands += 1;
    }
  }

  async #endsWith(containerId: string, exitCode: number): Promise<void> {
    for (;;) {
      const { status } = await this.#insist(method.containerStatus, { containerId });
      if (status?.state === ContainerState.CONTAINER_EXITED)
        return assert.equal(status.exitCode, exitCode, status.message);
      await pause(againMs);
    }
  }

  async #state(containerId: string): Promise<ContainerState | undefined> {
    return (await this.#insist(method.containerStatus, { containerId })).status?.state;
  }

  async #removePod(podSandboxId: string): Promise<void> {
    await this.#insist(method.stopPodSandbox, { podSandboxId });
    const { status } = await this.#insist(method.podSandboxStatus, { podSandboxId });
    assert.equal(status?.state, PodSandboxState.SANDBOX_NOTREADY, "a pod is stopped");
    await this.#insist(method.removePodSandbox, { podSandboxId });
    const gone = this.#insist(method.podSandboxStatus, { podSandboxId });
    await assert.rejects(gone, (error) => hasCode(error, ["NOT_FOUND"]), "a pod is there after its removal");
  }

  /** Asks until there is an answer. */
  async #insist<I extends DescMessage, O extends DescMessage>(
    rpc: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    for (;;) {
      const timeoutMs = this.#random() < impatientShare ? 1 + this.#random() * longestImpatientMs : patientMs;
      try {
        return await this.#daemon.client.call(rpc, request, { timeoutMs });
      } catch (error) {
        if (!hasCode(error, passing) || (timeoutMs === patientMs && hasCode(error, ["DEADLINE_EXCEEDED"]))) throw error;
      }
      this.#repeated += 1;
      await pause(againMs);
    }
  }
}

function hasCode(error: unknown, codes: readonly CodeName[]): boolean {
  return error instanceof CriCallError && codes.includes(error.codeName);
}
