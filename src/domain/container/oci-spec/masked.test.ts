import assert from "node:assert/strict";
import { test } from "node:test";
import { buildMaskedPaths } from "./masked.ts";

test("masked paths of the kubelet are completed, read-only ones kept", () => {
  const { maskedPaths, readonlyPaths } = buildMaskedPaths({
    privileged: false,
    maskedPaths: ["/proc/kcore", "/proc/own"],
    readonlyPaths: ["/proc/sys"],
  });
  assert.deepEqual(maskedPaths.slice(0, 2), ["/proc/kcore", "/proc/own"]);
  assert.ok(maskedPaths.includes("/proc/interrupts") && maskedPaths.includes("/sys/firmware"));
  assert.equal(new Set(maskedPaths).size, maskedPaths.length);
  assert.deepEqual(readonlyPaths, ["/proc/sys"]);
});

test("nothing is masked when the kubelet sends no paths, as for procMount Unmasked", () => {
  const result = buildMaskedPaths({ privileged: false, maskedPaths: [], readonlyPaths: [] });
  assert.deepEqual(result, { maskedPaths: [], readonlyPaths: [] });
});

test("nothing is masked in privileged containers", () => {
  const result = buildMaskedPaths({ privileged: true, maskedPaths: ["/proc/kcore"], readonlyPaths: ["/proc/sys"] });
  assert.deepEqual(result, { maskedPaths: [], readonlyPaths: [] });
});
