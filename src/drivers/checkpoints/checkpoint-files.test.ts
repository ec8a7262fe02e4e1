import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import { checkpointFiles } from "./checkpoint-files.ts";
import type { CheckpointFiles } from "./index.ts";

const noSignal = new AbortController().signal;
let place: string;
let files: CheckpointFiles;

beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), "berth-checkpoints-"));
  files = checkpointFiles(path.join(place, "own"), undefined);
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

/** A dump of container "c" with what criu and the domain would put there. */
async function dumped(): Promise<void> {
  const { images, work } = await files.dumps.begin("c");
  writeFileSync(path.join(images, "inventory.img"), "inventory");
  writeFileSync(path.join(images, "pages-1.img"), "memory");
  writeFileSync(path.join(work, "dump.log"), "log");
  await files.dumps.write("c", { "config.dump": "{}", "spec.dump": "{}" });
}

function namesIn(archive: string): string[] {
  return execFileSync("tar", ["-tf", archive], { encoding: "utf8" }).trim().split("\n");
}

const isKind = (kind: string, words: RegExp) => (error: unknown) =>
  error instanceof DomainError && error.kind === kind && words.test(error.message);

describe("a checkpoint that is made", () => {
  it("becomes an archive with the parts at its top, small ones first, that only root may read", async () => {
    await dumped();
    const log = path.join(place, "0.log");
    writeFileSync(log, "said\n");
    await files.dumps.copyLog("c", log);
    const location = path.join(place, "archive with: colon.tar");
    writeFileSync(location, "an older one", { mode: 0o644 });
    await files.dumps.pack("c", location, noSignal);
    assert.deepEqual(namesIn(location), [
      "config.dump",
      "dump.log",
      "spec.dump",
      "io.kubernetes.cri-o.LogPath",
      "checkpoint/",
      ...namesIn(location).slice(5),
    ]);
    assert.deepEqual(namesIn(location).slice(5).sort(), ["checkpoint/inventory.img", "checkpoint/pages-1.img"]);
    assert.equal((statSync(location).mode & 0o777).toString(8), "600");
    await files.dumps.end("c");
    assert.deepEqual(await files.dumps.unfinished(), []);
  });

  it("holds the files that a container has written, by the names in the list", async () => {
    const root = path.join(place, "root");
    mkdirSync(path.join(root, "etc"), { recursive: true });
    for (const name of ["etc/-changed\nfile", "etc/untouched"]) writeFileSync(path.join(root, name), name);
    await dumped();
    const { listFile } = { listFile: path.join(place, "own/dumps/c/list") };
    writeFileSync(listFile, "etc\0etc/-changed\nfile\0");
    await files.dumps.packChanges("c", root, noSignal);
    const diff = path.join(place, "own/dumps/c/parts/rootfs-diff.tar");
    assert.deepEqual(namesIn(diff), ["etc/", "etc/-changed\\nfile"]);
  });

  it("leaves nothing where it was to be written when it is given up or cut off", async () => {
    await dumped();
    const target = path.join(place, "target");
    mkdirSync(target);
    const location = path.join(target, "c.tar");
    const giveUp = new AbortController();
    const packing = files.dumps.pack("c", location, giveUp.signal);
    giveUp.abort(new DomainError("deadline-exceeded", "time is over"));
    await assert.rejects(packing, isKind("deadline-exceeded", /time is over/));
    // A daemon that starts after a crash ends what it finds.
    for (const id of await files.dumps.unfinished()) await files.dumps.end(id);
    assert.deepEqual(readdirSync(target), []);
  });

  it("is refused for places where no archive can be", async () => {
    await assert.rejects(files.dumps.checkLocation("relative.tar"), isKind("invalid-argument", /absolute/));
    await assert.rejects(files.dumps.checkLocation(place), isKind("invalid-argument", /is a directory/));
    await assert.rejects(
      files.dumps.checkLocation(path.join(place, "none/c.tar")),
      isKind("failed-precondition", /does not exist/),
    );
    await files.dumps.checkLocation(path.join(place, "c.tar"));
  });
});

describe("a checkpoint that is restored", () => {
  it("gives back the parts of an archive, and forgets what it does not know", async () => {
    await dumped();
    writeFileSync(path.join(place, "own/dumps/c/parts/unknown"), "");
    const location = path.join(place, "c.tar");
    await files.dumps.pack("c", location, noSignal);
    await files.restores.take("one", { archive: location });
    assert.deepEqual(readdirSync(path.join(place, "own/restores/one")).sort(), [
      "checkpoint",
      "config.dump",
      "dump.log",
      "spec.dump",
    ]);
    assert.equal(readFileSync(path.join(files.restores.images("one"), "pages-1.img"), "utf8"), "memory");
    assert.equal(await files.restores.read("one", "config.dump"), "{}");
    assert.equal(await files.restores.read("one", "deleted.files"), undefined);
    assert.equal(await files.restores.rootfsDiff("one"), undefined);
    await files.restores.discard("one");
    assert.deepEqual(await files.restores.names(), []);
  });

  it("is taken from a directory too, such as the root of an image", async () => {
    await dumped();
    await files.restores.take("one", { directory: path.join(place, "own/dumps/c/parts") });
    assert.equal(await files.restores.read("one", "spec.dump"), "{}");
  });

  it("continues the log", async () => {
    await dumped();
    const [before, after] = [path.join(place, "before.log"), path.join(place, "after.log")];
    writeFileSync(before, "said before\n");
    writeFileSync(after, "new: ");
    await files.dumps.copyLog("c", before);
    await files.restores.take("one", { directory: path.join(place, "own/dumps/c/parts") });
    await files.restores.appendLog("one", after);
    assert.equal(readFileSync(after, "utf8"), "new: said before\n");
  });

  const broken: [string, (parts: string) => void, RegExp][] = [
    ["lacks criu's images", (parts) => rmSync(path.join(parts, "checkpoint/inventory.img")), /no checkpoint.inventory/],
    ["lacks the specification", (parts) => rmSync(path.join(parts, "spec.dump")), /no spec\.dump/],
    ["has a link in it", (parts) => symlinkSync("/etc/shadow", path.join(parts, "checkpoint/a")), /no regular file/],
  ];
  for (const [what, change, words] of broken) {
    it(`is refused when it ${what}, and nothing is kept of it`, async () => {
      await dumped();
      change(path.join(place, "own/dumps/c/parts"));
      const location = path.join(place, "c.tar");
      await files.dumps.pack("c", location, noSignal);
      await assert.rejects(files.restores.take("one", { archive: location }), isKind("invalid-argument", words));
      assert.deepEqual(await files.restores.names(), []);
    });
  }

  it("is refused when it is no archive at all", async () => {
    const file = path.join(place, "text");
    writeFileSync(file, "not a tar, but long enough to be looked at".repeat(100));
    await assert.rejects(files.restores.take("one", { archive: file }), isKind("invalid-argument", /is no checkpoint/));
  });
});

it("what criu says went wrong is found in its log", async () => {
  const log = path.join(place, "dump.log");
  writeFileSync(
    log,
    [
      "(00.1) Error (criu/a.c:1): first",
      "(00.2) net: fine",
      "(00.3) Error (criu/sk-inet.c:188): inet: Connected TCP socket, consider using --tcp-established option.",
      "(00.4) Error (criu/cr-dump.c:2111): Dumping FAILED.",
    ].join("\n"),
  );
  assert.equal(
    await files.criuErrors(log),
    "first; inet: Connected TCP socket, consider using --tcp-established option.",
  );
  assert.equal(await files.criuErrors(path.join(place, "none")), "");
});
