import assert from "node:assert/strict";
import { test } from "node:test";
import { hostPlatform, selectPlatform } from "./platform.ts";
import type { Descriptor, Platform } from "#spec/oci-image.ts";

function entry(name: string): Descriptor {
  const [os = "", architecture = "", variant] = name.split("/");
  const platform: Platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  const descriptor: Descriptor = { mediaType: "m", digest: `sha256:${"0".repeat(64)}`, size: 1, annotations: { name } };
  return name === "" ? descriptor : { ...descriptor, platform };
}

function select(offered: string[], wanted: string): string | undefined {
  const { platform } = entry(wanted);
  assert.ok(platform);
  return selectPlatform(offered.map(entry), platform)?.annotations?.["name"];
}

test("the operating system and the architecture have to be equal", () => {
  assert.equal(select(["windows/amd64", "linux/arm64", "linux/amd64"], "linux/amd64"), "linux/amd64");
  assert.equal(select(["windows/amd64", "linux/386", "unknown/unknown"], "linux/amd64"), undefined);
});

test("an arm machine takes the newest variant that it can run", () => {
  assert.equal(select(["linux/arm/v5", "linux/arm/v6", "linux/arm/v7"], "linux/arm"), "linux/arm/v7");
  assert.equal(select(["linux/arm/v5", "linux/arm/v6", "linux/arm/v7"], "linux/arm/v6"), "linux/arm/v6");
  assert.equal(select(["linux/arm/v7", "linux/arm/v8"], "linux/arm/v6"), undefined);
  assert.equal(select(["linux/arm"], "linux/arm/v7"), "linux/arm");
});

test("arm64 is v8 and amd64 is v1 when nothing else is said", () => {
  assert.equal(select(["linux/arm64"], "linux/arm64/v8"), "linux/arm64");
  assert.equal(select(["linux/arm64/v9", "linux/arm64/v8"], "linux/arm64"), "linux/arm64/v8");
  assert.equal(select(["linux/amd64/v3", "linux/amd64"], "linux/amd64"), "linux/amd64");
  assert.equal(select(["linux/amd64", "linux/amd64/v2", "linux/amd64/v3"], "linux/amd64/v3"), "linux/amd64/v3");
});

test("an entry without a platform is the last resort", () => {
  assert.equal(select(["", "linux/amd64"], "linux/amd64"), "linux/amd64");
  assert.equal(select(["linux/arm64", ""], "linux/amd64"), "");
});

test("this machine is a linux machine by Go's name of its architecture", () => {
  assert.equal(hostPlatform().os, "linux");
  assert.notEqual(hostPlatform().architecture, "x64");
});
