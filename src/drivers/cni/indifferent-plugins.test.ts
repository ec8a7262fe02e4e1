import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ResolvedNetwork } from "./configuration.ts";
import { parsePluginConfiguration } from "./configuration.ts";
import { isIndifferentToPods } from "./indifferent-plugins.ts";

function network(...plugins: object[]): ResolvedNetwork {
  const parsed = plugins.map((plugin) => parsePluginConfiguration(JSON.stringify(plugin)));
  return { name: "n", cniVersion: "1.0.0", disableCheck: false, disableGC: false, plugins: parsed };
}

const bridge = { type: "bridge", ipam: { type: "host-local" } };

describe("a network that does the same for any pod", () => {
  const indifferent: [string, object[]][] = [
    ["a bridge with local addresses", [bridge]],
    [
      "with plugins behind it that do nothing unless asked",
      [bridge, { type: "portmap", capabilities: { portMappings: true } }],
    ],
    ["flannel, which calls the bridge", [{ type: "flannel", delegate: { isDefaultGateway: true } }]],
  ];
  for (const [name, plugins] of indifferent)
    it(`is ${name}`, () => assert.equal(isIndifferentToPods(network(...plugins)), true));

  const others: [string, object[]][] = [
    ["a plugin that is not known", [{ type: "calico", ipam: { type: "host-local" } }]],
    ["one behind the bridge that is not known", [bridge, { type: "istio-cni" }]],
    ["addresses that somebody else gives", [{ type: "bridge", ipam: { type: "dhcp" } }]],
    ["no addresses", [{ type: "bridge" }]],
    [
      "a plugin that wants the pod's annotations",
      [{ ...bridge, capabilities: { "io.kubernetes.cri.pod-annotations": true } }],
    ],
  ];
  for (const [name, plugins] of others)
    it(`is not ${name}`, () => assert.equal(isIndifferentToPods(network(...plugins)), false));
});
