import type { OciFeatures } from "#spec/oci-runtime.ts";
import type { OciRuntime } from "./index.ts";
import type { RuntimeCalls } from "./runtime-calls.ts";

/** What a runtime says that it can do. It is asked once, when somebody wants to know. */
export function abilities(call: RuntimeCalls["call"]): Pick<OciRuntime, "canCheckpoint" | "features"> {
  let canCheckpoint: Promise<boolean> | undefined;
  let features: Promise<OciFeatures | undefined> | undefined;

  return {
    canCheckpoint() {
      canCheckpoint ??= call(["checkpoint", "--help"]).then((result) => result.exitCode === 0);
      return canCheckpoint;
    },

    features() {
      features ??= call(["features"]).then((result) =>
        result.exitCode === 0 ? (JSON.parse(result.stdout.toString()) as OciFeatures) : undefined,
      );
      return features;
    },
  };
}
