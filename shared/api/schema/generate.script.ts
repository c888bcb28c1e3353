/**
 * Makes `table.ts`, the types of all served kinds, out of two sources of facts:
 *   - the model classes of the dev dependency @kubernetes/client-node: field names, types, which are required;
 *   - the Go types inside a kubectl executable: protobuf numbers, pointers, patch strategies, quantities.
 * A field that only the (newer) models know has no protobuf number. No descriptions are taken.
 *
 * Run: node shared/api/schema/generate.script.ts KUBECTL   (a Linux kubectl for amd64 or arm64, the newest at hand)
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { REGISTRY } from '../registry.ts';
import { GoExecutable, type GoField, type GoType, qualifiedName, tagValue } from './go-types.script.ts';

/** Types that are not resources of their own but bodies of requests or answers. */
const EXTRA_ROOTS: Readonly<Record<string, string>> = {
  'meta.v1.DeleteOptions': 'V1DeleteOptions',
  'meta.v1.Status': 'V1Status',
  'meta.v1.ListMeta': 'V1ListMeta',
  'autoscaling.v1.Scale': 'V1Scale',
  'policy.v1.Eviction': 'V1Eviction',
  'authentication.v1.TokenRequest': 'AuthenticationV1TokenRequest',
};
const MODEL_OF_ROOT: Readonly<Record<string, string>> = {
  'core.v1.Event': 'CoreV1Event',
  'events.v1.Event': 'EventsV1Event',
};
const SPECIAL_TYPES: Readonly<Record<string, string>> = {
  'k8s.io/apimachinery/pkg/api/resource.Quantity': 'quantity',
  'k8s.io/apimachinery/pkg/util/intstr.IntOrString': 'intstr',
  'k8s.io/apimachinery/pkg/apis/meta/v1.Time': 'time',
  'k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime': 'microtime',
  'k8s.io/apimachinery/pkg/apis/meta/v1.Duration': 'duration',
  'k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1': 'raw',
  'k8s.io/apimachinery/pkg/runtime.RawExtension': 'raw',
};
const LINE_LENGTH = 400;
const SCALARS = new Set(['bool', 'int32', 'int64', 'float64', 'string']);

interface Attribute {
  readonly baseName: string;
  readonly type: string;
  readonly format: string;
}

interface Placed {
  readonly field: GoField;
  /** Protobuf numbers from the outer message inwards; empty without protobuf. */
  readonly path: readonly number[];
}

class Generator {
  private readonly modelFolder: string;
  private readonly structs: Map<string, GoType>;
  readonly table = new Map<string, string>();

  constructor(kubectlPath: string) {
    const main = createRequire(import.meta.url).resolve('@kubernetes/client-node');
    this.modelFolder = join(dirname(main), 'gen', 'models');
    this.structs = new GoExecutable(kubectlPath).structs();
  }

  add(name: string, model: string): void {
    if (this.table.has(name)) return;
    this.table.set(name, '');
    const goType = this.structs.get(packageName(name));
    const placed = goType === undefined ? new Map<string, Placed>() : flatten(goType);
    const required = this.requiredOf(model);
    const fields = this.attributesOf(model).map((attribute) =>
      this.fieldText(name, attribute, required.has(attribute.baseName), placed.get(attribute.baseName)),
    );
    this.table.set(name, fields.join('|'));
  }

  private fieldText(owner: string, attribute: Attribute, required: boolean, placed: Placed | undefined): string {
    const type = this.typeText(owner, attribute, placed?.field.type).replace(
      `${owner.split('.').slice(0, 2).join('.')}.`,
      '.',
    );
    const flags = `${required ? '!' : ''}${placed === undefined ? '' : zeroFlag(placed.field)}`;
    const number = placed === undefined || placed.path.length === 0 ? '' : placed.path.join('.');
    const patch = placed === undefined ? '' : patchText(placed.field.tag);
    return `${attribute.baseName}${flags} ${type} ${number} ${patch}`.trimEnd();
  }

  private typeText(owner: string, attribute: Attribute, goType: GoType | undefined): string {
    const { shape, inner } = modelShape(attribute.type);
    if (goType === undefined) return shape + this.modelScalar(owner, inner, attribute.format);
    return this.goText(owner, goType, inner);
  }

  private modelScalar(owner: string, inner: string, format: string): string {
    if (format === 'date-time') return 'time';
    if (format === 'date-time-micro') return 'microtime';
    if (format === 'byte') return 'bytes';
    if (inner === 'IntOrString') return 'intstr';
    if (inner === 'string') return 'string';
    if (inner === 'boolean') return 'bool';
    if (inner === 'number') return format === 'int64' || format === 'double' ? format : 'int32';
    if (inner === 'any') return 'raw';
    return this.reference(this.nameOfModel(owner, inner), inner);
  }

  private goText(owner: string, goType: GoType, inner: string): string {
    if (goType.kind === 'ptr') return this.goText(owner, goType.element!, inner);
    const special = SPECIAL_TYPES[qualifiedName(goType)];
    if (special !== undefined) return special;
    if (goType.kind === 'slice' && goType.element!.text === 'uint8') return 'bytes';
    if (goType.kind === 'slice') {
      return `${goType.packagePath === '' ? '[]' : '<>'}${this.goText(owner, goType.element!, inner)}`;
    }
    if (goType.kind === 'map') return `{}${this.goText(owner, goType.element!, innermost(inner))}`;
    if (goType.kind === 'float64') return 'double';
    if (SCALARS.has(goType.kind)) return goType.kind;
    if (goType.kind === 'struct') return this.reference(tableName(goType), innermost(inner));
    throw new Error(`${owner}: no notation for Go type ${goType.text}`);
  }

  private reference(name: string, model: string): string {
    this.add(name, model);
    return name;
  }

  /** A model without a Go type: its class is its kind with the version, and at times the group, in front. */
  private nameOfModel(owner: string, model: string): string {
    const [group, version] = owner.split('.');
    const kind = model.replace(/^(Apiextensions|Core|Events|Discovery|Storage|Rbac)?V\d+((alpha|beta)\d+)?/, '');
    const shared = this.structs.has(`k8s.io/apimachinery/pkg/apis/meta/v1.${kind}`);
    return shared ? `meta.v1.${kind}` : `${group}.${version}.${kind}`;
  }

  /** The class is read as text: importing one model would load all of the client. */
  private attributesOf(model: string): Attribute[] {
    const source = readFileSync(join(this.modelFolder, `${model}.js`), 'utf8');
    const list = /attributeTypeMap = (\[[\s\S]*?\n\]);/.exec(source)?.[1];
    if (list === undefined)
      throw new Error(`${model}.js holds no attributeTypeMap; has @kubernetes/client-node changed?`);
    return JSON.parse(list) as Attribute[];
  }

  private requiredOf(model: string): Set<string> {
    const source = readFileSync(join(this.modelFolder, `${model}.d.ts`), 'utf8');
    return new Set([...source.matchAll(/^ {4}'([^']+)': /gm)].map((match) => match[1]!));
  }
}

function packageName(name: string): string {
  const [group, version, kind] = name.split('.');
  return group === 'meta'
    ? `k8s.io/apimachinery/pkg/apis/meta/${version}.${kind}`
    : `k8s.io/api/${group}/${version}.${kind}`;
}

function tableName(type: GoType): string {
  const parts = type.packagePath.split('/');
  return `${parts.at(-2)}.${parts.at(-1)}.${type.text.split('.').at(-1)}`;
}

/** JSON name -> field, embedded structs taken apart. */
function flatten(type: GoType, path: readonly number[] = []): Map<string, Placed> {
  const found = new Map<string, Placed>();
  for (const field of type.fields) {
    const json = tagValue(field.tag, 'json');
    if (json === undefined || json === '-') continue;
    const number = tagValue(field.tag, 'protobuf')?.split(',')[1];
    const here = number === undefined ? [] : [...path, Number(number)];
    const name = json.split(',')[0]!;
    if (name !== '') {
      found.set(name, { field, path: here });
      continue;
    }
    // TypeMeta has no number of its own: in protobuf its fields travel in the envelope.
    for (const [key, inner] of flatten(structOf(field.type), here)) {
      found.set(key, { field: inner.field, path: number === undefined ? [] : inner.path });
    }
  }
  return found;
}

function structOf(type: GoType): GoType {
  return type.kind === 'ptr' ? type.element! : type;
}

/**
 * What Go's JSON encoder does with the zero value: `*` writes it (a pointer that is set, or no `omitempty`),
 * `&` writes an empty object (a struct that is not a pointer); else it is left out.
 */
function zeroFlag(field: GoField): string {
  const { type } = field;
  const inner = type.kind === 'ptr' ? type.element! : type;
  if (SCALARS.has(inner.kind)) {
    const omitted = /,omitempty/.test(tagValue(field.tag, 'json') ?? '');
    return type.kind === 'ptr' || !omitted ? '*' : '';
  }
  return type.kind === 'struct' && SPECIAL_TYPES[qualifiedName(type)] === undefined ? '&' : '';
}

function patchText(tag: string): string {
  const strategy = tagValue(tag, 'patchStrategy');
  const key = tagValue(tag, 'patchMergeKey');
  return strategy === undefined ? '' : `${strategy}${key === undefined ? '' : `:${key}`}`;
}

/** `Array<X>` -> `[]`, `{ [key: string]: X; }` -> `{}`, as a prefix, and what is inside. */
function modelShape(type: string): { shape: string; inner: string } {
  const array = /^Array<(.*)>$/.exec(type);
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type);
  if (array === null && map === null) return { shape: '', inner: type };
  const inside = modelShape((array ?? map)![1]!);
  return { shape: `${array === null ? '{}' : '[]'}${inside.shape}`, inner: inside.inner };
}

function innermost(type: string): string {
  return modelShape(type).inner;
}

function main(kubectlPath: string | undefined): void {
  if (kubectlPath === undefined) {
    console.error('usage: node shared/api/schema/generate.script.ts KUBECTL');
    process.exitCode = 2;
    return;
  }
  const generator = new Generator(kubectlPath);
  for (const { schema, kind, version } of REGISTRY) {
    generator.add(schema, MODEL_OF_ROOT[schema] ?? `${version.toUpperCase()}${kind}`);
  }
  for (const [name, model] of Object.entries(EXTRA_ROOTS)) generator.add(name, model);
  const lines = [...generator.table]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => `'${name}': '${text}',`);
  writeFileSync(
    join(import.meta.dirname, 'table.ts'),
    `/** Generated by generate.script.ts (which says how); the notation is read by schema.ts. Not edited by hand. */\n` +
      `// biome-ignore format: several types a line\nexport const TYPE_TABLE: Readonly<Record<string, string>> = {\n${packed(lines)}\n};\n`,
  );
}

/** Lines are filled up to a length, for 400 types would be 400 lines. */
function packed(entries: readonly string[]): string {
  const lines: string[] = [];
  for (const entry of entries) {
    const last = lines.at(-1);
    if (last === undefined || last.length + entry.length > LINE_LENGTH) lines.push(`  ${entry}`);
    else lines[lines.length - 1] = `${last} ${entry}`;
  }
  return lines.join('\n');
}

main(process.argv[2]);
