import { ScalarType, type DescField, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";

/** What a request says, for logs: set fields only, secrets (fields marked `debug_redact`) and bytes (values of environment variables) left out. */
export function describeRequest<D extends DescMessage>(schema: D, message: MessageShape<D>): Record<string, unknown> {
  return describe(reflect(schema, message));
}

function describe(message: ReflectMessage): Record<string, unknown> {
  const set = message.fields.filter((field) => message.isSet(field));
  return Object.fromEntries(set.map((field) => [field.name, valueOf(message, field)]));
}

function valueOf(message: ReflectMessage, field: DescField): unknown {
  if (field.proto.options?.debugRedact === true) return "[redacted]";
  switch (field.fieldKind) {
    case "message":
      return describe(message.get(field));
    case "list":
      return field.listKind === "message"
        ? [...message.get(field)].map((item) => describe(item as ReflectMessage))
        : [...message.get(field)];
    case "map":
      return Object.fromEntries(message.get(field));
    case "enum":
      return field.enum.value[message.get(field)]?.name ?? message.get(field);
    case "scalar":
      return field.scalar === ScalarType.BYTES ? "[bytes]" : message.get(field);
  }
}
