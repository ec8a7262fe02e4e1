import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { timezoneFile } from "./timezone.ts";

describe("the time zone of containers", () => {
  const zones = mkdtempSync(path.join(tmpdir(), "berth-zones-"));
  after(() => rmSync(zones, { recursive: true }));
  mkdirSync(path.join(zones, "Europe"));
  writeFileSync(path.join(zones, "Europe/Berlin"), "TZif2");

  it("is a file of the machine, or none", () => {
    assert.equal(timezoneFile("Europe/Berlin", zones), path.join(zones, "Europe/Berlin"));
    assert.equal(timezoneFile("", zones), undefined);
  });

  it("that the machine does not have is an error that names the file", () => {
    const message = `timezone = "Europe": there is no file ${zones}/Europe`;
    assert.throws(() => timezoneFile("Europe", zones), { kind: "failed-precondition", message });
  });
});
