import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import { containerConfig, removePod, runContainer, runPod } from "../support/pods.ts";
import { cannotRunPods } from "../support/requirements.ts";

describe("a daemon that is told to end", { skip: cannotRunPods() }, () => {
  const suite = useDaemon((registry) => ({
    config: {
      "crio.image": `pause_image = "${registry.host}/test/pause:1"`,
      berth: 'shutdown_timeout = "2s"',
    },
  }));

  it("cuts off a request that takes longer, and ends in good order in time", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "stubborn");
    const config = containerConfig(busybox, "main", ["sh", "-c", 'trap "" TERM; while true; do sleep 1; done']);
    const containerId = await runContainer(daemon, pod, config);
    const { stopContainer } = RuntimeService.method;
    const stop = daemon.client.call(stopContainer, { containerId, timeout: 20n });
    const cutOff = assert.rejects(stop, { codeName: "UNAVAILABLE" });
    await eventually("the stop to begin", () => (/rpc=StopContainer/.test(daemon.log()) ? true : undefined));
    await daemon.kill("SIGTERM");
    await cutOff;
    assert.deepEqual(daemon.log().match(/berth has shut down|did not finish in time|calls were cut off/g), [
      "calls were cut off",
      "berth has shut down",
    ]);
    await daemon.start();
    await daemon.client.call(stopContainer, { containerId, timeout: 0n });
    await removePod(daemon, pod.id);
  });
});
