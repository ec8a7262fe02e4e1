import { create, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { frameOf } from "./grpc/message-frame.ts";

/** A message of type `O` that is encoded already, behind its prefix: it can be sent as it is, and again. */
export class EncodedMessage<O extends DescMessage> {
  readonly schema: O;
  readonly frame: Buffer;

  private constructor(schema: O, frame: Buffer) {
    this.schema = schema;
    this.frame = frame;
  }

  /** The message whose encoded fields are `pieces`, which are copied. */
  static of<O extends DescMessage>(schema: O, pieces: readonly Uint8Array[]): EncodedMessage<O> {
    return new EncodedMessage(schema, frameOf(pieces));
  }

  /** Whether it is of this type. */
  isOf<P extends DescMessage>(schema: P): this is EncodedMessage<P> {
    return this.schema.typeName === schema.typeName;
  }
}

/** What a handler may answer with: a message, or one that is encoded already. */
export type Answer<O extends DescMessage> = MessageInitShape<O> | EncodedMessage<O>;

/** The answer as it is sent, behind its prefix. */
export function encodeAnswer<O extends DescMessage>(schema: O, answer: Answer<O>): Buffer {
  return answer instanceof EncodedMessage ? answer.frame : frameOf([encode(schema, answer)]);
}

/** The bytes of a message, or of some of its fields. */
export function encode<D extends DescMessage>(schema: D, message: MessageInitShape<D>): Uint8Array {
  return toBinary(schema, create(schema, message));
}
