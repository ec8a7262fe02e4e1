import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { defaultConfig } from "#config/index.ts";
import { doubtfulPlaces } from "./doubtful-places.ts";

describe("places of the configuration", () => {
  let folder = "";
  before(() => void (folder = mkdtempSync(path.join(tmpdir(), "berth-places-"))));
  after(() => rmSync(folder, { recursive: true }));

  // /dev/shm is the one tmpfs that every Linux has.
  async function doubted(crio: { root?: string; runroot?: string; imagestore?: string }): Promise<string[]> {
    const config = defaultConfig();
    const places = { root: path.join(folder, "own"), runroot: "/dev/shm/berth-test/run", ...crio };
    const found = await doubtfulPlaces({ ...config, crio: { ...config.crio, ...places } });
    for (const { message, option } of found) assert.ok(message.startsWith(`${option} is `), message);
    return found.map((one) => `${one.option} ${one.path}`);
  }

  it("are fine where berth has them to itself and a reboot empties runroot", async () => {
    assert.deepEqual(await doubted({}), []);
  });

  it("are doubtful in CRI-O's default store, whatever is there and however it is written", async () => {
    for (const root of [
      "/var/lib/containers/storage",
      "/var/lib/containers/storage/berth",
      "/var/lib/../lib/containers/storage/",
    ])
      assert.deepEqual(await doubted({ root }), [`crio.root ${root}`]);
    assert.deepEqual(await doubted({ root: "/var/lib/containers/storage2" }), []);
  });

  it("are doubtful in a store that containers/storage has made, also by a link", async () => {
    const store = path.join(folder, "store");
    mkdirSync(path.join(store, "overlay-images"), { recursive: true });
    writeFileSync(path.join(store, "storage.lock"), "");
    const link = path.join(folder, "link");
    symlinkSync(store, link);
    assert.deepEqual(await doubted({ root: link, imagestore: store }), [
      `crio.root ${link}`,
      `crio.imagestore ${store}`,
    ]);
  });

  it("are doubtful where runroot is on a disk, or is not there yet and would be", async () => {
    const runroot = "/proc/berth-test/run";
    assert.deepEqual(await doubted({ runroot }), [`crio.runroot ${runroot}`]);
  });
});
