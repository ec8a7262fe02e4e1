import type { DescMethod } from "@bufbuild/protobuf";

/** The HTTP/2 path of an RPC: `/runtime.v1.RuntimeService/Version`. */
export function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}
