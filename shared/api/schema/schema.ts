/**
 * Reads the type table: what fields a type has and of which type each is. One line of the table is a list of fields
 *
 *   name[!][*|&] type [protobuf numbers] [patch strategies[:merge key]]      separated by `|`
 *
 * `!` required · `*` the zero value is written · `&` an absent struct is written as `{}` · types: a scalar, the name of
 * a type (`.Name` in the same group and version), behind any of `[]` list, `{}` map, `<>` list that protobuf wraps in a
 * message · protobuf numbers lead through embedded messages: `2.19`. Types are read when first asked for.
 */
import { TYPE_TABLE } from './table.ts';

export type ScalarName =
  | 'bool'
  | 'bytes'
  | 'double'
  | 'duration'
  | 'int32'
  | 'int64'
  | 'intstr'
  | 'microtime'
  | 'quantity'
  /** Any JSON. */
  | 'raw'
  | 'string'
  | 'time';

export type FieldType =
  | { readonly kind: 'scalar'; readonly scalar: ScalarName }
  | { readonly kind: 'object'; readonly typeName: string }
  | { readonly kind: 'list'; readonly element: FieldType; readonly wrapped: boolean }
  | { readonly kind: 'map'; readonly element: FieldType };

export interface FieldSchema {
  readonly name: string;
  readonly type: FieldType;
  readonly required: boolean;
  /** What is written when the field is its type's zero value or absent. */
  readonly zero: 'omitted' | 'written' | 'object';
  /** Empty when the field has no protobuf form. */
  readonly protobufPath: readonly number[];
  /** Of strategic merge patches: `merge`, `replace`, `retainKeys`. */
  readonly patchStrategies: readonly string[];
  /** The key field of a list that is merged by key. */
  readonly mergeKey: string | undefined;
}

export interface TypeSchema {
  /** `core.v1.PodSpec`. */
  readonly name: string;
  readonly fields: ReadonlyMap<string, FieldSchema>;
}

/** Of APIs that the table's sources do not know: metrics.k8s.io, in the same notation. */
const MORE_TYPES: Readonly<Record<string, string>> = {
  'metrics.v1beta1.NodeMetrics':
    'apiVersion string|kind string|metadata meta.v1.ObjectMeta 1|timestamp! time 2|window! string 3|usage! {}quantity 4',
  'metrics.v1beta1.PodMetrics':
    'apiVersion string|kind string|metadata meta.v1.ObjectMeta 1|timestamp! time 2|window! string 3|containers! [].ContainerMetrics 4',
  'metrics.v1beta1.ContainerMetrics': 'name! string 1|usage! {}quantity 2',
};

const SCALARS: ReadonlySet<string> = new Set<ScalarName>([
  'bool',
  'bytes',
  'double',
  'duration',
  'int32',
  'int64',
  'intstr',
  'microtime',
  'quantity',
  'raw',
  'string',
  'time',
]);

const read = new Map<string, TypeSchema>();

export function findType(name: string): TypeSchema | undefined {
  const known = read.get(name);
  if (known !== undefined) return known;
  const text = TYPE_TABLE[name] ?? MORE_TYPES[name];
  if (text === undefined) return undefined;
  const type = readType(name, text);
  read.set(name, type);
  return type;
}

/** For names that come from the table itself or from the registry; a missing one is a bug. */
export function typeNamed(name: string): TypeSchema {
  const type = findType(name);
  if (type === undefined) throw new Error(`the type table has no ${name}; run shared/api/schema/generate.script.ts`);
  return type;
}

export function typeNames(): string[] {
  return Object.keys(TYPE_TABLE);
}

function readType(name: string, text: string): TypeSchema {
  const groupVersion = name.slice(0, name.lastIndexOf('.'));
  const fields = new Map<string, FieldSchema>();
  if (text !== '') {
    for (const part of text.split('|')) {
      const field = readField(part, groupVersion);
      fields.set(field.name, field);
    }
  }
  return { name, fields };
}

function readField(text: string, groupVersion: string): FieldSchema {
  const [head = '', type = '', numbers = '', patch = ''] = text.split(' ');
  const [, name = '', required, zero] = /^(.*?)(!?)([*&]?)$/.exec(head)!;
  const [strategies = '', mergeKey] = patch.split(':');
  return {
    name,
    type: readFieldType(type, groupVersion),
    required: required === '!',
    zero: zero === '*' ? 'written' : zero === '&' ? 'object' : 'omitted',
    protobufPath: numbers === '' ? [] : numbers.split('.').map(Number),
    patchStrategies: strategies === '' ? [] : strategies.split(','),
    mergeKey,
  };
}

function readFieldType(text: string, groupVersion: string): FieldType {
  const inner = text.slice(2);
  if (text.startsWith('[]')) return { kind: 'list', element: readFieldType(inner, groupVersion), wrapped: false };
  if (text.startsWith('<>')) return { kind: 'list', element: readFieldType(inner, groupVersion), wrapped: true };
  if (text.startsWith('{}')) return { kind: 'map', element: readFieldType(inner, groupVersion) };
  if (SCALARS.has(text)) return { kind: 'scalar', scalar: text as ScalarName };
  return { kind: 'object', typeName: text.startsWith('.') ? groupVersion + text : text };
}
