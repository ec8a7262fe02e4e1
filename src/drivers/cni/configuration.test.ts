import assert from "node:assert/strict";
import { test } from "node:test";
import { formatConfiguration, parseConfiguration } from "./configuration.ts";

const parse = (value: unknown): ReturnType<typeof parseConfiguration> =>
  parseConfiguration(typeof value === "string" ? value : JSON.stringify(value), "file.conf");

test("what cannot be a configuration is refused with the reason", () => {
  const cases: [unknown, RegExp][] = [
    ["", /no JSON/],
    ["[]", /no JSON object/],
    [{ plugins: [{ type: "a" }] }, /no name/],
    [{ name: "../x", plugins: [{ type: "a" }] }, /not allowed/],
    [{ name: "n", plugins: [] }, /plugins is empty/],
    [{ name: "n", plugins: "a" }, /plugins is no list/],
    [{ name: "n", plugins: [{}] }, /no type/],
    [{ name: "n", plugins: [{ type: "../../bin/sh" }] }, /no file name/],
    [{ name: "n", plugins: [{ type: "a", capabilities: [] }] }, /capabilities/],
    [{ name: "n", loadOnlyInlinedPlugins: true }, /no plugins key/],
    [{ name: "n", disableCheck: "perhaps", plugins: [{ type: "a" }] }, /disableCheck/],
    [{ name: "n", cniVersion: 1, plugins: [{ type: "a" }] }, /no string/],
    [{ name: "n", cniVersion: "2.0.0", plugins: [{ type: "a" }] }, /2\.0\.0 is not supported/],
  ];
  for (const [value, reason] of cases) assert.throws(() => parse(value), reason);
});

test("versions that are newer than the specification known are left out when there are others", () => {
  const list = { name: "n", cniVersion: "1.0.0", cniVersions: ["1.1.0", "3.0.0"], plugins: [{ type: "a" }] };
  assert.deepEqual(parse(list).cniVersions, ["1.1.0", "1.0.0"]);
  assert.deepEqual(parse({ name: "n", plugins: [{ type: "a" }] }).cniVersions, ["0.1.0"]);
});

test("a single plugin's configuration becomes a list of one that is called after the file when it has no name", () => {
  const { name, plugins } = parse({ type: "bridge", bridge: "cni0" });
  assert.equal(name, "file.conf");
  assert.deepEqual(plugins[0]?.fields, { type: "bridge", bridge: "cni0" });
});

test("a written configuration reads back with the chosen version and all plugins", () => {
  const plugins = parse({
    name: "n",
    disableGC: "true",
    plugins: [{ type: "a", capabilities: { mac: true } }],
  }).plugins;
  const written = formatConfiguration({
    name: "n",
    cniVersion: "0.4.0",
    disableCheck: false,
    disableGC: true,
    plugins,
  });
  const read = parse(written);
  assert.deepEqual(read.cniVersions, ["0.4.0"]);
  assert.equal(read.disableGC, true);
  assert.deepEqual(read.plugins, plugins);
});
