import type { Message } from "@bufbuild/protobuf";
import type { LogFields } from "#observability/logger.ts";

/** The ids of the pod and the container, or the image, that a request is about: what its log lines are found by. */
export function subjectOf(request: Message): LogFields {
  return {
    ...textField(request, "podSandboxId", "pod"),
    ...textField(request, "containerId", "container"),
    ...nameOf(request),
    ...imageOf(request),
  };
}

function textField(value: object, name: string, as: string): LogFields {
  const text = property(value, name);
  return typeof text === "string" && text !== "" ? { [as]: text } : {};
}

/** RunPodSandbox and CreateContainer have no id of what they make yet, only its name. */
function nameOf(request: object): LogFields {
  const metadata = property(property(request, "config"), "metadata");
  if (typeof metadata !== "object" || metadata === null) return {};
  return { ...textField(metadata, "namespace", "namespace"), ...textField(metadata, "name", "name") };
}

function imageOf(request: object): LogFields {
  const image = property(request, "image");
  return typeof image === "object" && image !== null ? textField(image, "image", "image") : {};
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
