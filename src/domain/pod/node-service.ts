import type { HandlerFeatures, Node } from "#domain/runtime.ts";
import type { Network } from "#drivers/cni/index.ts";
import type { Logger } from "#observability/logger.ts";

export interface NodeServiceOptions {
  name: string;
  version: string;
  cgroupDriver: "systemd" | "cgroupfs";
  network: Network;
  /** Asked for at every Status: handlers differ in what their runtimes can do. */
  handlers(): HandlerFeatures[];
  /** For `crictl info`. */
  verbose(): Record<string, string>;
  logger: Logger;
}

/** What the node tells about itself. */
export function nodeService(options: NodeServiceOptions): Node {
  return {
    version: () => ({ name: options.name, version: options.version }),
    status() {
      const { ready, reason, message } = options.network.status();
      return {
        runtime: { ready: true, reason: "", message: "" },
        network: { ready, reason, message },
        handlers: options.handlers(),
        supplementalGroupsPolicy: true,
      };
    },
    verboseStatus: () => options.verbose(),
    cgroupDriver: () => options.cgroupDriver,
    updatePodCidr(podCidr) {
      options.logger.debug("the kubelet names a pod CIDR; networks take theirs from CNI", { podCidr });
    },
  };
}
