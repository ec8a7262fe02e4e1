import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isReadOnlyFile, type Mapping, mappingsOf } from "#kernel/mappings.ts";

/** One mapping as the kernel prints it; `changed` replaces lines. */
function smaps(head: string, changed: Readonly<Record<string, string>> = {}): string {
  const lines = {
    Size: "100 kB",
    Rss: "40 kB",
    Shared_Dirty: "0 kB",
    Private_Dirty: "0 kB",
    Anonymous: "0 kB",
    Swap: "0 kB",
    THPeligible: "0",
    VmFlags: "rd ex mr mw me",
    ...changed,
  };
  return `${head}\n${Object.entries(lines)
    .map(([name, value]) => `${name}:           ${value}`.replace("VmFlags:           ", "VmFlags: "))
    .join("\n")}\n`;
}

const program = "/opt/my node";
const code = "0082e000-03489000 r-xp 0042e000 fe:00 2154541                            /opt/my node";

function one(text: string): Mapping {
  const [mapping, ...others] = mappingsOf(program, text);
  assert.ok(mapping !== undefined && others.length === 0);
  return mapping;
}

describe("mappings of the process", () => {
  it("are read with their sizes and flags", () => {
    const [first, second, ...others] = mappingsOf(
      program,
      smaps("00400000-00401000 r--p 00000000 fe:00 12                         /opt/other") +
        smaps(code) +
        smaps(`${code}s`) +
        smaps("7fbf28000000-7fbf28021000 rw-p 00000000 00:00 0", { Anonymous: "16 kB" }) +
        smaps(code.replace("r-xp", "rw-p"), { Anonymous: "8 kB" }),
    );
    assert.equal(first?.startAddress, 0x82e000n);
    assert.equal(first.sizeBytes, 0x3489000 - 0x82e000);
    assert.equal(first.inode, 2154541);
    assert.equal(first.kibibytes.get("Rss"), 40);
    assert.deepEqual([...first.flags], ["rd", "ex", "mr", "mw", "me"]);
    assert.deepEqual([second?.permissions, second?.kibibytes.get("Anonymous")], ["rw-p", 8]);
    assert.equal(others.length, 0);
  });

  it("can be dropped when they are code or constants of a file", () => {
    assert.ok(isReadOnlyFile(one(smaps(code))));
    assert.ok(isReadOnlyFile(one(smaps(code.replace("r-xp", "r--p"), { VmFlags: "rd mr mw me" }))));
  });

  const kept: Record<string, string> = {
    "hold a page that was written": smaps(code, { Anonymous: "4 kB" }),
    "hold a dirty page": smaps(code, { Private_Dirty: "4 kB" }),
    "were swapped out": smaps(code, { Swap: "4 kB" }),
    "can be written": smaps(code.replace("r-xp", "rw-p"), { VmFlags: "rd wr mr mw me" }),
    "are shared": smaps(code.replace("r-xp", "r-xs")),
    "are locked": smaps(code, { VmFlags: "rd ex mr mw me lo" }),
    "are of no file": smaps(code.replace("2154541", "0")),
    "are of a kernel that does not say what was written": smaps(code).replace(/Anonymous.*\n/, ""),
    "are of a kernel that names no flags": smaps(code).replace(/VmFlags.*\n/, ""),
  };
  for (const [reason, text] of Object.entries(kept))
    it(`are kept when they ${reason}`, () => assert.equal(isReadOnlyFile(one(text)), false));
});
