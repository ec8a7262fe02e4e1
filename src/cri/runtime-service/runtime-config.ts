import type { Handler } from "../call.ts";
import { CgroupDriver, type RuntimeService } from "../gen/runtime/v1/api_pb.ts";

export const runtimeConfig: Handler<typeof RuntimeService.method.runtimeConfig> = (_request, { runtime }) => {
  const isSystemd = runtime.node.cgroupDriver() === "systemd";
  return { linux: { cgroupDriver: isSystemd ? CgroupDriver.SYSTEMD : CgroupDriver.CGROUPFS } };
};
