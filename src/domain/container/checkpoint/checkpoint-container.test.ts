import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { noRecords } from "#domain/entity/no-records.ts";
import { SandboxStore } from "#domain/sandbox/sandbox-store.ts";
import { checkpointFiles } from "#drivers/checkpoints/checkpoint-files.ts";
import { fakeRuntime, fakeRuntimes } from "#drivers/oci-runtime/fake.ts";
import type { OciRuntime } from "#drivers/oci-runtime/index.ts";
import { FakeStorage } from "#drivers/storage/fake.ts";
import { DomainError } from "#errors/domain-error.ts";
import { silentLogger } from "#observability/logger.ts";
import { ContainerStore } from "../container-store.ts";
import type { Container, ContainerState } from "../container.ts";
import { checkpointContainer } from "./checkpoint-container.ts";
import { exampleContainer, exampleSpec } from "./checkpoint-example.ts";

const noSignal = new AbortController().signal;
let place: string;
let location: string;

beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), "berth-checkpoint-"));
  location = path.join(place, "target", "c.tar");
  for (const name of ["bin", "target"]) mkdirSync(path.join(place, name));
  writeFileSync(path.join(place, "log"), "said\n");
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

/** A container of which a fake runtime makes the images that criu would. */
async function world(methods: Partial<OciRuntime> = {}, state: ContainerState = { kind: "running", startedAtNs: "1" }) {
  let isPaused = false;
  const runtime = fakeRuntime({
    pause: async () => void (isPaused = true),
    resume: async () => void (isPaused = false),
    state: async () => ({ status: isPaused ? "paused" : "running", pid: 1 }),
    checkpoint: async (_id, { imagePath, workPath }) => {
      assert.equal(isPaused, true, "memory and files are of the same moment");
      writeFileSync(path.join(imagePath, "inventory.img"), "");
      writeFileSync(path.join(workPath, "dump.log"), "(00.1) fine\n");
    },
    ...methods,
  });
  const storage = new FakeStorage();
  await storage.createRootfs("c", []);
  const root = storage.roots.get("c");
  if (root !== undefined) root.changes = { changed: [], deleted: ["etc/motd"] };
  const store = new ContainerStore(noRecords<Container>());
  const container = await store.put({ ...exampleContainer, state, logPath: path.join(place, "log") });
  const drivers = {
    checkpoints: checkpointFiles(path.join(place, "own"), `${path.join(place, "bin")}:/usr/bin:/bin`),
    runtimes: fakeRuntimes(runtime),
    store,
    sandboxes: new SandboxStore(noRecords()),
    storage,
    images: { find: () => undefined },
    bundles: { path: () => place, readFile: async () => JSON.stringify(exampleSpec({ mounts: [] })) },
    settings: { criuEnabled: true, isSandboxed: () => false },
    logger: silentLogger,
  };
  return { drivers, container, isPaused: () => isPaused };
}

function installCriu(): void {
  const program = path.join(place, "bin/criu");
  writeFileSync(program, "#!/bin/sh\n");
  chmodSync(program, 0o755);
}

const isKind = (kind: string, words: RegExp) => (error: unknown) =>
  error instanceof DomainError && error.kind === kind && words.test(error.message);

/** That nothing of a checkpoint is left. */
function assertClean(): void {
  assert.deepEqual(readdirSync(path.join(place, "target")), []);
  assert.deepEqual(readdirSync(path.join(place, "own/dumps")), []);
}

describe("checkpointing a container", () => {
  it("makes an archive of all parts, and the container goes on", async () => {
    installCriu();
    const { drivers, container, isPaused } = await world();
    await checkpointContainer(drivers, container, location, noSignal);
    const names = execFileSync("tar", ["-tf", location], { encoding: "utf8" }).trim().split("\n");
    assert.deepEqual(names, [
      "config.dump",
      "deleted.files",
      "dump.log",
      "spec.dump",
      "io.kubernetes.cri-o.LogPath",
      "checkpoint/",
      "checkpoint/inventory.img",
    ]);
    assert.equal(isPaused(), false);
    assert.notEqual(drivers.store.index.get("c").checkpointedAtNs, undefined);
    assert.deepEqual(readdirSync(path.join(place, "own/dumps")), []);
  });

  it("leaves a container paused that somebody has paused", async () => {
    installCriu();
    const { drivers, container, isPaused } = await world(
      { checkpoint: async (_id, { imagePath }) => writeFileSync(path.join(imagePath, "inventory.img"), "") },
      { kind: "running", startedAtNs: "1", paused: true },
    );
    await drivers.runtimes.get("").pause("c");
    await checkpointContainer(drivers, container, location, noSignal);
    assert.equal(isPaused(), true);
  });

  it("tells criu's reasons when it fails, and leaves nothing", async () => {
    installCriu();
    const { drivers, container, isPaused } = await world({
      checkpoint: async (_id, { workPath }) => {
        writeFileSync(path.join(workPath, "dump.log"), "(00.1) Error (criu/x.c:1): inotify is too much for me\n");
        throw new DomainError("internal", "runc checkpoint exited with 1");
      },
    });
    const failing = checkpointContainer(drivers, container, location, noSignal);
    await assert.rejects(failing, isKind("internal", /exited with 1; criu: inotify is too much/));
    assert.equal(isPaused(), false);
    assertClean();
    assert.match(readFileSync(path.join(place, "dump.log"), "utf8"), /inotify/);
  });

  it("is given up when its time is over, whatever step it has reached", async () => {
    installCriu();
    const over = new DomainError("deadline-exceeded", "time is over");
    const giveUps: ((drivers: Awaited<ReturnType<typeof world>>["drivers"], giveUp: () => void) => void)[] = [
      (drivers, giveUp) => {
        drivers.runtimes.get("").checkpoint = async () => {
          giveUp();
          throw new DomainError("internal", "killed");
        };
      },
      ({ storage }, giveUp) => {
        storage.rootfsChanges = async () => {
          giveUp();
          return { mountPath: "/none", changed: 1, deleted: [] };
        };
      },
    ];
    for (const prepare of giveUps) {
      const controller = new AbortController();
      const { drivers, container, isPaused } = await world();
      prepare(drivers, () => controller.abort(over));
      const checkpoint = checkpointContainer(drivers, container, location, controller.signal);
      await assert.rejects(checkpoint, isKind("deadline-exceeded", /time is over/));
      assert.equal(isPaused(), false);
      assertClean();
    }
  });

  it("is refused with what is missing, before the container is touched", async () => {
    const { drivers, container } = await world({ canCheckpoint: async () => false });
    const refused = (words: RegExp) =>
      assert.rejects(checkpointContainer(drivers, container, location, noSignal), isKind("failed-precondition", words));
    await refused(/needs the program criu.*enable_criu_support|enable_criu_support.*needs the program criu/);
    installCriu();
    await refused(/\/usr\/sbin\/runc of handler "runc" has no checkpoint command/);
    drivers.settings.isSandboxed = () => true;
    await refused(/sandbox of its own/);
    drivers.settings.criuEnabled = false;
    await refused(/enable_criu_support = false/);
    const created = { ...container, state: { kind: "created" } as const };
    await assert.rejects(
      checkpointContainer(drivers, created, location, noSignal),
      isKind("failed-precondition", /is created/),
    );
    assert.deepEqual(readdirSync(path.join(place, "target")), []);
  });
});
