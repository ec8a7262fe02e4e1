import { type Config, type RuntimeHandlerConfig, sections } from "./options.ts";

/** CRI-O's floor for the time that a container gets to stop and to be created. */
const leastSeconds = 30;

/** The configuration with values replaced that stand for others, as the descriptions of their options say. */
export function normaliseConfig(config: Config): Config {
  const { grpcMaxSendMsgSizeBytes: send, grpcMaxRecvMsgSizeBytes: receive } = config.api;
  const { grpcMaxSendMsgSizeBytes: defaultSend, grpcMaxRecvMsgSizeBytes: defaultReceive } = sections.api.fields;
  const handlers = [...config.runtime.runtimes].map(([name, handler]) => [name, normaliseHandler(handler)] as const);
  return {
    ...config,
    api: {
      ...config.api,
      grpcMaxSendMsgSizeBytes: send > 0 ? send : defaultSend.default,
      grpcMaxRecvMsgSizeBytes: receive > 0 ? receive : defaultReceive.default,
    },
    runtime: {
      ...config.runtime,
      ctrStopTimeoutSeconds: Math.max(config.runtime.ctrStopTimeoutSeconds, leastSeconds),
      runtimes: new Map(handlers),
    },
  };
}

function normaliseHandler(handler: RuntimeHandlerConfig): RuntimeHandlerConfig {
  return {
    ...handler,
    runtimeType: handler.runtimeType || "oci",
    containerCreateTimeoutSeconds: Math.max(handler.containerCreateTimeoutSeconds, leastSeconds),
  };
}
