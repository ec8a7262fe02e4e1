import { create, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";

/** A message of type `O` that is encoded already. */
export class EncodedMessage<O extends DescMessage> {
  readonly schema: O;
  readonly bytes: Buffer;

  constructor(schema: O, bytes: Buffer) {
    this.schema = schema;
    this.bytes = bytes;
  }
}

/** What a handler may answer with: a message, or one that is encoded already. */
export type Answer<O extends DescMessage> = MessageInitShape<O> | EncodedMessage<O>;

/** The bytes of an answer. */
export function encodeAnswer<O extends DescMessage>(schema: O, answer: Answer<O>): Buffer {
  if (answer instanceof EncodedMessage) return answer.bytes;
  const bytes = toBinary(schema, create(schema, answer));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
