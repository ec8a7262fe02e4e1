import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CopiedMount } from "#drivers/default-mounts/index.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import { nodeMounts } from "./node-mounts.ts";
import { exampleContainerRequest, exampleMount, exampleSandboxRequest } from "./request-example.ts";

const pod = { request: exampleSandboxRequest() } as Sandbox;

/** Drivers that note what they are asked for; `copies` is what the node's file names. */
function driversWith(options: { copies?: readonly CopiedMount[]; timezoneFile?: string }) {
  const heard = { relabelled: [] as string[], owner: undefined as unknown };
  const drivers = {
    bundles: { create: () => Promise.resolve("/run/bundle") } as unknown as ContainerDrivers["bundles"],
    defaultMounts: {
      copyTo(_directory: string, owner: unknown) {
        heard.owner = owner;
        return Promise.resolve([...(options.copies ?? [])]);
      },
    },
    security: {
      relabel: (file: string) => Promise.resolve(void heard.relabelled.push(file)),
    } as unknown as ContainerDrivers["security"],
    settings: { timezoneFile: options.timezoneFile } as ContainerDrivers["settings"],
  };
  return { drivers, heard };
}

describe("what the node mounts into every container", () => {
  it("is a file by which programs see that they run in one", async () => {
    const { drivers } = driversWith({});
    const mounts = await nodeMounts(drivers, pod, { id: "c1", request: exampleContainerRequest() }, "");
    assert.deepEqual(
      mounts.map(({ source, destination }) => [source, destination]),
      [["/run/bundle/.containerenv", "/run/.containerenv"]],
    );
  });

  it("leaves volumes at /run alone", async () => {
    const { drivers } = driversWith({});
    for (const containerPath of ["/run", "/run/", "/run/.containerenv"]) {
      const request = exampleContainerRequest({ mounts: [exampleMount({ containerPath })] });
      assert.deepEqual(await nodeMounts(drivers, pod, { id: "c1", request }, ""), [], containerPath);
    }
  });

  it("is the time zone of the configuration, read-only", async () => {
    const { drivers } = driversWith({ timezoneFile: "/usr/share/zoneinfo/Europe/Berlin" });
    const mounts = await nodeMounts(drivers, pod, { id: "c1", request: exampleContainerRequest() }, "");
    const zone = mounts.find(({ destination }) => destination === "/etc/localtime");
    assert.equal(zone?.source, "/usr/share/zoneinfo/Europe/Berlin");
    assert.ok(zone?.options?.includes("ro"));
  });

  it("is what its file names, owned by the container's root and labelled for it", async () => {
    const copies = [{ source: "/run/bundle/default-mounts/0", destination: "/run/secrets" }];
    const { drivers, heard } = driversWith({ copies });
    const userns = {
      mode: "pod" as const,
      uids: [{ containerId: 0, hostId: 100_000, length: 65_536 }],
      gids: [{ containerId: 0, hostId: 200_000, length: 65_536 }],
    };
    const request = exampleSandboxRequest();
    request.linux.securityContext.namespaceOptions = { ...request.linux.securityContext.namespaceOptions, userns };
    const mounts = await nodeMounts(
      drivers,
      { request } as Sandbox,
      { id: "c1", request: exampleContainerRequest() },
      "label",
    );
    assert.equal(mounts[0]?.destination, "/run/secrets");
    assert.deepEqual(heard.owner, { uid: 100_000, gid: 200_000 });
    assert.deepEqual(heard.relabelled, ["/run/bundle/default-mounts/0", "/run/bundle/.containerenv"]);
  });
});
