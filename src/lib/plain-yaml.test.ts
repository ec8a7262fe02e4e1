import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parsePlainYaml } from "./plain-yaml.ts";

describe("plain YAML", () => {
  it("is maps and lists as device vendors' programs write them", () => {
    const text = `---
cdiVersion: 0.5.0
containerEdits:
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  hooks:
  - args:
    - nvidia-cdi-hook
    - --link
    - libgl.so.1::/usr/lib/libgl.so
    hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
devices:
- containerEdits:
    deviceNodes:
    - major: 195
      path: /dev/nvidia0
    - path: /dev/dri/card0
  name: "0"
kind: nvidia.com/gpu
`;
    assert.deepEqual(parsePlainYaml(text), {
      cdiVersion: "0.5.0",
      containerEdits: {
        env: ["NVIDIA_VISIBLE_DEVICES=void"],
        hooks: [
          {
            args: ["nvidia-cdi-hook", "--link", "libgl.so.1::/usr/lib/libgl.so"],
            hookName: "createContainer",
            path: "/usr/bin/nvidia-cdi-hook",
          },
        ],
      },
      devices: [
        {
          containerEdits: { deviceNodes: [{ major: 195, path: "/dev/nvidia0" }, { path: "/dev/dri/card0" }] },
          name: "0",
        },
      ],
      kind: "nvidia.com/gpu",
    });
  });

  const scalars: [text: string, value: unknown][] = [
    ["a: text with spaces # comment", { a: "text with spaces" }],
    ["a: no#comment", { a: "no#comment" }],
    ['a: "quoted # \\" text"', { a: 'quoted # " text' }],
    ["a: 'it''s'", { a: "it's" }],
    ["a: 12", { a: 12 }],
    ["a: -1.5", { a: -1.5 }],
    ["a: 0666", { a: 0o666 }],
    ["a: 0x1f", { a: 31 }],
    ["a: 1.0.0", { a: "1.0.0" }],
    ["a: true\nb: ~\nc:", { a: true, b: null, c: null }],
    ["a: [rbind, 'ro', \"x,y\", 3]", { a: ["rbind", "ro", "x,y", 3] }],
    ["a: []\nb: {}", { a: [], b: {} }],
    ['"key: quoted": http://host:80/x', { "key: quoted": "http://host:80/x" }],
    ["- - a\n  - b\n- c", [["a", "b"], "c"]],
    ["-\n  a: 1\n-", [{ a: 1 }, null]],
    ["a:\n    - 1\n    - 2\nb:\n- 3", { a: [1, 2], b: [3] }],
    ["__proto__: 1", JSON.parse('{"__proto__":1}')],
    ["", null],
    ["just text", "just text"],
  ];
  for (const [text, value] of scalars)
    it(`reads ${JSON.stringify(text)}`, () => assert.deepEqual(parsePlainYaml(text), value));

  const unknown: [text: string, message: RegExp][] = [
    ["a: &anchor 1", /line 1: .*beyond/],
    ["a: *anchor", /line 1: .*beyond/],
    ["a: !!str 1", /line 1: .*beyond/],
    ["a: |\n  block", /line 1: .*beyond/],
    ["a: {b: 1}", /line 1: .*beyond/],
    ["a: [b, [c]]", /line 1: only plain values/],
    ["a: [b,\n  c]", /line 1: .*end on its line/],
    ['a: "b', /line 1: .*quoted/],
    ["a: 1\na: 2", /line 2: the key a is there twice/],
    ["a: 1\n---\nb: 2", /line 2: only one document/],
    ["a:\n\tb: 1", /line 2: a tab/],
    ["a: 1\n  b: 2", /line 2: the indentation/],
    ["- a\nb: 1", /line 2: the indentation/],
    ["a: text\n  that goes on", /line 2: the indentation/],
  ];
  for (const [text, message] of unknown)
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parsePlainYaml(text), { kind: "invalid-argument", message });
    });
});
