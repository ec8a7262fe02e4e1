import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { busyboxConfig, busyboxEntries } from "../support/busybox.ts";
import { startDaemon } from "../support/daemon.ts";
import { buildArtifact, buildImage } from "../support/image-builder.ts";
import { containerConfig, createContainer, pull, removePod, runPod, runToEnd } from "../support/pods.ts";
import { startRegistry } from "../support/registry.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";

describe("volumes that an image declares", { skip: cannotRunPods() }, () => {
  const image = buildImage({
    layers: [{ entries: busyboxEntries() }, { entries: [{ path: "kept/file", content: "kept\n" }] }],
    config: { ...busyboxConfig, User: "1000:1000", Volumes: { "/new/place": {}, "/kept": {}, "/proc": {} } },
  });
  const script =
    "ls -ldn /new/place | awk '{print $3, $4}'; touch /new/place/x && cat /kept/file; mount | grep -c /new";

  it("become directories of the container's user in its root", async () => {
    await using registry = await startRegistry();
    await using daemon = await startDaemon({ insecureRegistries: [registry.host] });
    const reference = await registry.push(image, "test/volumes", "v1");
    await pull(daemon, reference);
    const pod = await runPod(daemon, "mkdir");
    const { stdout } = await runToEnd(daemon, pod, containerConfig(reference, "mkdir", ["sh", "-c", script]));
    assert.equal(stdout, "1000 1000\nkept\n0\n");
  });

  it("are directories of the host where the configuration says so, unless the pod mounts something there", async () => {
    await using registry = await startRegistry();
    await using daemon = await startDaemon({
      insecureRegistries: [registry.host],
      config: { "crio.image": 'image_volumes = "bind"\noci_artifact_mount_support = false' },
    });
    const reference = await registry.push(image, "test/volumes", "v1");
    const artifact = await registry.push(buildArtifact({ a: "a" }), "test/artifact", "v1");
    await pull(daemon, reference);
    await pull(daemon, artifact);
    const pod = await runPod(daemon, "bind");
    const mounts = [{ containerPath: "/kept", hostPath: path.join(daemon.places.folder, "mine") }];
    const config = containerConfig(
      reference,
      "bind",
      ["sh", "-c", "touch /new/place/x && ls /kept; mount | grep -c /new"],
      {
        mounts,
      },
    );
    assert.equal((await runToEnd(daemon, pod, config)).stdout, "1\n");
    const withArtifact = containerConfig(reference, "artifact", ["true"], {
      mounts: [{ containerPath: "/data", image: { image: artifact } }],
    });
    await rejects(createContainer(daemon, pod, withArtifact), ["UNKNOWN"], /oci_artifact_mount_support is off/);
    await removePod(daemon, pod.id);
    assert.deepEqual(readdirSync(path.join(daemon.places.runroot, "image-volumes")), []);
  });
});
