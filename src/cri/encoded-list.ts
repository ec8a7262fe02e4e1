import { create, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { batches } from "./batches.ts";
import { EncodedMessage } from "./encoded-message.ts";

/** Lists, and the batches of Stream* RPCs, all hold their items in field 1. */
const itemsFieldNumber = 1;

/**
 * Items of lists, each encoded once. The kubelet lists everything each second; entities are replaced when they change, so
 * the bytes of an entity hold for as long as the entity does, and a list is a concatenation.
 */
export class EncodedItems<E extends object, I extends DescMessage> {
  readonly #schema: I;
  readonly #translate: (entity: E) => MessageInitShape<I>;
  readonly #fields = new WeakMap<E, Buffer>();

  /** `translate` must depend on nothing but the entity. */
  constructor(schema: I, translate: (entity: E) => MessageInitShape<I>) {
    this.#schema = schema;
    this.#translate = translate;
  }

  /** The whole list as one message of the type `response`. */
  list<R extends DescMessage>(response: R, entities: readonly E[]): EncodedMessage<R> {
    this.#check(response);
    return new EncodedMessage(response, this.#concatenate(entities));
  }

  /** The list in batches of the type `response`. */
  *batches<R extends DescMessage>(response: R, entities: readonly E[]): Generator<EncodedMessage<R>> {
    this.#check(response);
    for (const batch of batches(entities)) yield new EncodedMessage(response, this.#concatenate(batch));
  }

  #concatenate(entities: readonly E[]): Buffer {
    return Buffer.concat(entities.map((entity) => this.#fieldOf(entity)));
  }

  /** Tag, length and bytes of the entity's message. */
  #fieldOf(entity: E): Buffer {
    const known = this.#fields.get(entity);
    if (known !== undefined) return known;
    const message = toBinary(this.#schema, create(this.#schema, this.#translate(entity)));
    const field = new BinaryWriter().tag(itemsFieldNumber, WireType.LengthDelimited).bytes(message).finish();
    const bytes = Buffer.from(field.buffer, field.byteOffset, field.byteLength);
    this.#fields.set(entity, bytes);
    return bytes;
  }

  /** A response of another shape would be encoded wrongly without anybody noticing. */
  #check(response: DescMessage): void {
    const [field, ...others] = response.fields;
    const isListOfItems =
      others.length === 0 &&
      field?.number === itemsFieldNumber &&
      field.fieldKind === "list" &&
      field.listKind === "message" &&
      field.message.typeName === this.#schema.typeName;
    if (!isListOfItems) throw new TypeError(`${response.typeName} is not a list of ${this.#schema.typeName}`);
  }
}
