import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { type Logger, silentLogger } from "#observability/logger.ts";
import { mountsConf } from "./mounts-conf.ts";
import { parseMountsConf } from "./parse-mounts-conf.ts";

const folder = mkdtempSync(path.join(tmpdir(), "berth-mounts-"));
after(() => rmSync(folder, { recursive: true }));
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

describe("mounts.conf", () => {
  it("has lines of source and destination, or of both in one, and comments", () => {
    const broken: string[] = [];
    const text = "# all\n/a:/b\n\n  /same   # here too\nrelative:/x\n/a:/b:/c\n";
    assert.deepEqual(
      parseMountsConf(text, (line) => void broken.push(line)),
      [
        { source: "/a", destination: "/b" },
        { source: "/same", destination: "/same" },
      ],
    );
    assert.deepEqual(broken, ["relative:/x", "/a:/b:/c"]);
  });
});

describe("default mounts", () => {
  const secrets = path.join(folder, "secrets");
  mkdirSync(path.join(secrets, "deep"), { recursive: true });
  writeFileSync(path.join(folder, "elsewhere"), "key", { mode: 0o640 });
  symlinkSync(path.join(folder, "elsewhere"), path.join(secrets, "deep", "key"));
  symlinkSync("/nowhere", path.join(secrets, "dangling"));
  symlinkSync("..", path.join(secrets, "deep", "circle"));
  const conf = path.join(folder, "mounts.conf");

  it("are copies, with what links lead to", async () => {
    writeFileSync(conf, `${secrets}:/run/secrets\n`);
    const directory = path.join(folder, "copies");
    const copied = await mountsConf([path.join(folder, "missing.conf"), conf], silentLogger).copyTo(directory, owner);
    assert.deepEqual(copied, [{ source: path.join(directory, "0"), destination: "/run/secrets" }]);
    const key = path.join(directory, "0", "deep", "key");
    assert.equal(readFileSync(key, "utf8"), "key");
    assert.equal(statSync(key).mode & 0o777, 0o640);
    for (const left of ["dangling", "deep/circle"])
      assert.equal(existsSync(path.join(directory, "0", left)), false, left);
  });

  it("of the first file win, and a source that is missing is left out with a warning", async () => {
    const warned: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (message) => void warned.push(message) };
    writeFileSync(conf, `/no/such/thing:/a\n${folder}/elsewhere:/b\n`);
    const second = path.join(folder, "second.conf");
    writeFileSync(second, `${secrets}:/b\n`);
    const copied = await mountsConf([conf, second], logger).copyTo(path.join(folder, "two"), owner);
    assert.deepEqual(
      copied.map(({ destination }) => destination),
      ["/b"],
    );
    assert.equal(readFileSync(copied[0]?.source ?? "", "utf8"), "key");
    assert.match(warned.join(), /\/no\/such\/thing is left out/);
  });

  it("make nothing where no file names any", async () => {
    const directory = path.join(folder, "none");
    assert.deepEqual(await mountsConf(["/no/such/file"], silentLogger).copyTo(directory, owner), []);
    assert.equal(existsSync(directory), false);
  });
});
