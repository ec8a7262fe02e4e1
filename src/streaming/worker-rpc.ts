import { DomainError, type ErrorFacts, type ErrorKind, kindOf, messageOf } from "#errors/domain-error.ts";

/** Either end of the channel between a thread and its worker. */
interface Port {
  postMessage(message: unknown): void;
  on(event: "message", listener: (message: Message) => void): unknown;
}

interface CallMessage {
  readonly type: "call";
  readonly id: number;
  readonly method: string;
  readonly payload: unknown;
}

type AnswerMessage =
  | { readonly type: "result"; readonly id: number; readonly value: unknown }
  | {
      readonly type: "failure";
      readonly id: number;
      readonly kind: ErrorKind;
      readonly message: string;
      readonly facts: ErrorFacts;
    };

type Message = CallMessage | AnswerMessage;

/** Calls in both directions over a message port. */
export class WorkerRpc {
  readonly #port: Port;
  readonly #handle: (method: string, payload: unknown) => Promise<unknown>;
  readonly #calls = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #nextId = 1;
  #closedBy: Error | undefined;

  /** `handle` serves the calls of the other side. */
  constructor(port: Port, handle: (method: string, payload: unknown) => Promise<unknown>) {
    this.#port = port;
    this.#handle = handle;
    port.on("message", (message) => {
      if (message.type === "call") void this.#serve(message);
      else this.#settle(message);
    });
  }

  /** Rejects with the `DomainError` of the other side, or with unavailable once it is gone. */
  call(method: string, payload: unknown): Promise<unknown> {
    if (this.#closedBy !== undefined) return Promise.reject(this.#closedBy);
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#port.postMessage({ type: "call", id, method, payload } satisfies Message);
    });
  }

  /** Fails all calls, those under way and later ones. */
  close(reason: Error): void {
    this.#closedBy ??= reason;
    for (const { reject } of this.#calls.values()) reject(reason);
    this.#calls.clear();
  }

  async #serve({ id, method, payload }: CallMessage): Promise<void> {
    let answer: AnswerMessage;
    try {
      answer = { type: "result", id, value: await this.#handle(method, payload) };
    } catch (error) {
      const facts = error instanceof DomainError ? error.facts : {};
      answer = { type: "failure", id, kind: kindOf(error), message: messageOf(error), facts };
    }
    this.#port.postMessage(answer);
  }

  #settle(answer: AnswerMessage): void {
    const call = this.#calls.get(answer.id);
    this.#calls.delete(answer.id);
    if (answer.type === "result") call?.resolve(answer.value);
    else call?.reject(new DomainError(answer.kind, answer.message, { facts: answer.facts }));
  }
}
