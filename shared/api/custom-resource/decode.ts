/** A custom resource as a client sent it, in the form that is stored: pruned, its metadata as all objects have it. */
import type { JsonObject } from '../object.ts';
import { checkDepth, type Decoded, type DecodeSubject, decodeObject } from '../schema/decode.ts';
import { pruneResource } from './prune.ts';
import type { StructuralSchema } from './structural-schema.ts';

/** BadRequest when the metadata is not such or the value is too deep. */
export function decodeCustomResource(value: JsonObject, schema: StructuralSchema, subject: DecodeSubject): Decoded {
  checkDepth(value, subject);
  const metadata = decodeObject(value.metadata ?? {}, 'meta.v1.ObjectMeta', subject);
  const { object, unknownFields } = pruneResource(value, schema);
  return {
    object: { ...object, metadata: metadata.object },
    unknownFields: [...metadata.unknownFields.map((path) => `metadata.${path}`), ...unknownFields],
  };
}
