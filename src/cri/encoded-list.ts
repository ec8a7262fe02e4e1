import type { DescField, DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { batches } from "./batches.ts";
import { encode, EncodedMessage } from "./encoded-message.ts";

/** A list shorter than this is put together faster than it is compared with the last one. */
const longList = 50;

/**
 * Entities as messages, each encoded once. The kubelet lists everything each second; entities are replaced when they change, so
 * the bytes of an entity hold for as long as the entity does, and a list is a concatenation.
 */
export class EncodedItems<E extends object, I extends DescMessage> {
  readonly #schema: I;
  readonly #translate: (entity: E) => MessageInitShape<I>;
  /** Length and message. */
  readonly #encoded = new WeakMap<E, Uint8Array>();
  #lastList: { entities: readonly E[]; message: EncodedMessage<DescMessage> } | undefined;

  /** `translate` must depend on nothing but the entity. */
  constructor(schema: I, translate: (entity: E) => MessageInitShape<I>) {
    this.#schema = schema;
    this.#translate = translate;
  }

  /** The whole list as one message of the type `response`: the same one again when each entity is the same as in the last list. */
  list<R extends DescMessage>(response: R, entities: readonly E[]): EncodedMessage<R> {
    if (entities.length < longList) return this.#listOf(response, entities);
    const last = this.#lastList;
    if (last?.message.isOf(response) === true && isSameList(last.entities, entities)) return last.message;
    const message = this.#listOf(response, entities);
    this.#lastList = { entities, message };
    return message;
  }

  /** The list in batches of the type `response`. */
  *batches<R extends DescMessage>(response: R, entities: readonly E[]): Generator<EncodedMessage<R>> {
    this.#check(itemsOf(response));
    for (const batch of batches(entities)) yield this.#listOf(response, batch);
  }

  /** The entities as the field `field` of a message, for `EncodedMessage.of`. */
  inField(field: DescField, entities: readonly E[]): Uint8Array[] {
    this.#check(field);
    const tag = new BinaryWriter().tag(field.number, WireType.LengthDelimited).finish();
    const pieces: Uint8Array[] = [];
    for (const entity of entities) pieces.push(tag, this.#encode(entity));
    return pieces;
  }

  #listOf<R extends DescMessage>(response: R, entities: readonly E[]): EncodedMessage<R> {
    return EncodedMessage.of(response, this.inField(itemsOf(response), entities));
  }

  #encode(entity: E): Uint8Array {
    const known = this.#encoded.get(entity);
    if (known !== undefined) return known;
    const message = encode(this.#schema, this.#translate(entity));
    const encoded = new BinaryWriter().bytes(message).finish();
    this.#encoded.set(entity, encoded);
    return encoded;
  }

  /** Messages in a field of another type would be wrong without anybody noticing. */
  #check(field: DescField): void {
    if (field.message?.typeName !== this.#schema.typeName) {
      throw new TypeError(`${field.parent.typeName}.${field.name} does not hold ${this.#schema.typeName}`);
    }
  }
}

/** The one field of a list. */
function itemsOf(response: DescMessage): DescField {
  const [field, ...others] = response.fields;
  if (field?.fieldKind !== "list" || others.length > 0) throw new TypeError(`${response.typeName} is not a list`);
  return field;
}

function isSameList<E>(some: readonly E[], others: readonly E[]): boolean {
  if (some === others) return true;
  return some.length === others.length && some.every((entity, index) => entity === others[index]);
}
