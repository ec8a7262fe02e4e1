import { DomainError } from "#errors/domain-error.ts";
import type { AttachRequest, ExecRequest, PortForwardRequest } from "./backend.ts";
import { maxWebSocketPorts } from "./port-forward/over-websocket.ts";

/** A request that was given a URL; `verb` is the first part of the URL's path. */
export type StreamingRequest =
  | { readonly verb: "exec"; readonly request: ExecRequest }
  | { readonly verb: "attach"; readonly request: AttachRequest }
  | { readonly verb: "portforward"; readonly request: PortForwardRequest };

/** Throws invalid-argument for what the CRI forbids. */
export function validate({ verb, request }: StreamingRequest): void {
  if (verb === "portforward") {
    if (request.sandboxId === "") throw new DomainError("invalid-argument", "port-forward: missing pod sandbox id");
    const wrong = request.ports.find((port) => !Number.isInteger(port) || port < 1 || port > 65_535);
    if (wrong !== undefined) throw new DomainError("invalid-argument", `port-forward: ${wrong} is not a port`);
    if (request.ports.length > maxWebSocketPorts)
      throw new DomainError("invalid-argument", `port-forward: more than ${maxWebSocketPorts} ports`);
    return;
  }
  if (request.containerId === "") throw new DomainError("invalid-argument", `${verb}: missing container id`);
  if (request.tty && request.stderr) {
    throw new DomainError("invalid-argument", `${verb}: tty and stderr cannot both be set, a terminal has one output`);
  }
  if (!request.stdin && !request.stdout && !request.stderr)
    throw new DomainError("invalid-argument", `${verb}: none of stdin, stdout and stderr is set`);
}
