import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { describeOptions, parseArguments, UsageError, type OptionSpecs } from "./arguments.ts";

const specs: OptionSpecs = {
  all: { kind: "flag", short: "a", help: "everything" },
  pod: { kind: "text", short: "p", placeholder: "POD", help: "one pod" },
  env: { kind: "list", short: "e", help: "a variable" },
};

describe("the command line of berth ctl", () => {
  it("takes options before, between and after operands", () => {
    const parsed = parseArguments(["-a", "one", "--pod=x", "two", "-e", "A=1", "--env", "B=2"], specs);
    assert.deepEqual(parsed.operands, ["one", "two"]);
    assert.equal(parsed.flag("all"), true);
    assert.equal(parsed.text("pod"), "x");
    assert.deepEqual(parsed.list("env"), ["A=1", "B=2"]);
  });

  it("leaves the options of a container's command alone", () => {
    const parsed = parseArguments(["-a", "image", "sh", "-c", "--pod"], specs, 1);
    assert.deepEqual(parsed.operands, ["image", "sh", "-c", "--pod"]);
    assert.equal(parsed.text("pod"), undefined);
  });

  it("takes everything after -- as operands", () => {
    assert.deepEqual(parseArguments(["--", "-a"], specs).operands, ["-a"]);
    assert.deepEqual(parseArguments(["image", "--", "-x"], specs, 1).operands, ["image", "-x"]);
  });

  it("refuses unknown options, missing values and values for flags", () => {
    assert.throws(() => parseArguments(["--nope"], specs), new UsageError("unknown option --nope"));
    assert.throws(() => parseArguments(["--pod"], specs), new UsageError("option --pod needs a value"));
    assert.throws(() => parseArguments(["--all=1"], specs), new UsageError("option --all takes no value"));
  });

  it("describes options in aligned columns", () => {
    assert.deepEqual(describeOptions(specs), [
      "  -a, --all        everything",
      "  -p, --pod POD    one pod",
      "  -e, --env VALUE  a variable",
    ]);
  });
});
