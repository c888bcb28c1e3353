/**
 * Reads the reflection data that the Go linker leaves in an ELF executable: struct types with their fields and tags.
 * kubectl carries the types of all built-in kinds, and their tags hold every fact of the wire formats: JSON name,
 * `omitempty`, protobuf field number, patch strategy and merge key; the field's type tells pointer from value.
 * Layouts: Go's internal/abi package (Type, PtrType, StructType, ...), for 64-bit little-endian, statically linked files.
 */
import { readFileSync } from 'node:fs';

export interface GoField {
  readonly name: string;
  readonly tag: string;
  readonly embedded: boolean;
  readonly type: GoType;
}

export interface GoType {
  readonly kind:
    | 'bool'
    | 'int'
    | 'int32'
    | 'int64'
    | 'float64'
    | 'string'
    | 'struct'
    | 'ptr'
    | 'slice'
    | 'map'
    | 'other';
  /** `int32`, `v1.PodSpec`: the package's last element and the name. */
  readonly text: string;
  /** Import path of a named type's package; empty for unnamed ones. */
  readonly packagePath: string;
  /** Of pointers, slices and maps. */
  readonly element?: GoType;
  readonly fields: readonly GoField[];
}

interface Section {
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

const TYPE_BYTES = 48;
const FLAG_UNCOMMON = 1;
const FLAG_EXTRA_STAR = 2;
const KINDS: Readonly<Record<number, GoType['kind']>> = {
  1: 'bool',
  2: 'int',
  5: 'int32',
  6: 'int64',
  14: 'float64',
  21: 'map',
  22: 'ptr',
  23: 'slice',
  24: 'string',
  25: 'struct',
};

export class GoExecutable {
  private readonly data: Buffer;
  private readonly sections: Map<string, Section>;
  private readonly typesAddress: number;
  private readonly known = new Map<number, GoType>();

  constructor(path: string) {
    this.data = readFileSync(path);
    if (this.data.readUInt32BE(0) !== 0x7f454c46) throw new Error(`${path} is not an ELF file; pass a Linux kubectl`);
    this.sections = this.readSections();
    this.typesAddress = this.section('.rodata').address;
  }

  /** All named struct types that a pointer type in the linker's type table leads to, by `package/path.Name`. */
  structs(): Map<string, GoType> {
    const found = new Map<string, GoType>();
    const links = this.section('.typelink');
    for (let i = 0; i < links.size; i += 4) {
      const type = this.typeAt(this.typesAddress + this.data.readInt32LE(links.offset + i));
      for (let at: GoType | undefined = type; at !== undefined; at = at.element) {
        if (at.kind === 'struct' && at.packagePath !== '') found.set(qualifiedName(at), at);
      }
    }
    return found;
  }

  private typeAt(address: number): GoType {
    const known = this.known.get(address);
    if (known !== undefined) return known;
    const at = this.fileOffset(address);
    const kind = KINDS[this.data[at + 23]! & 31] ?? 'other';
    const flags = this.data[at + 20]!;
    const text = this.nameAt(this.typesAddress + this.data.readInt32LE(at + 40)).text;
    const type = {
      kind,
      text: flags & FLAG_EXTRA_STAR ? text.slice(1) : text,
      packagePath: flags & FLAG_UNCOMMON ? this.packagePathOf(address, kind) : '',
      fields: [] as GoField[],
      element: undefined as GoType | undefined,
    };
    this.known.set(address, type);
    if (kind === 'ptr' || kind === 'slice') type.element = this.typeAt(this.pointer(at + TYPE_BYTES));
    else if (kind === 'map') type.element = this.typeAt(this.pointer(at + TYPE_BYTES + 8));
    else if (kind === 'struct') type.fields.push(...this.fieldsAt(at));
    return type;
  }

  private fieldsAt(structOffset: number): GoField[] {
    const count = this.pointer(structOffset + TYPE_BYTES + 16);
    if (count === 0) return [];
    const first = this.fileOffset(this.pointer(structOffset + TYPE_BYTES + 8));
    return Array.from({ length: count }, (_, i) => {
      const at = first + i * 24;
      const { text, tag, embedded } = this.nameAt(this.pointer(at));
      return { name: text, tag, embedded, type: this.typeAt(this.pointer(at + 8)) };
    });
  }

  /** The "uncommon" part follows the kind's own fields; its first word is the name of the package. */
  private packagePathOf(address: number, kind: GoType['kind']): string {
    if (kind === 'other' || kind === 'map') return '';
    const ownBytes = kind === 'struct' ? 32 : kind === 'ptr' || kind === 'slice' ? 8 : 0;
    const nameOffset = this.data.readInt32LE(this.fileOffset(address + TYPE_BYTES + ownBytes));
    return nameOffset === 0 ? '' : this.nameAt(this.typesAddress + nameOffset).text;
  }

  private nameAt(address: number): { text: string; tag: string; embedded: boolean } {
    let at = this.fileOffset(address);
    const flags = this.data[at++]!;
    const readText = (): string => {
      let length = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = this.data[at++]!;
        length |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      at += length;
      return this.data.toString('utf8', at - length, at);
    };
    const text = readText();
    return { text, tag: flags & 2 ? readText() : '', embedded: (flags & 8) !== 0 };
  }

  private pointer(offset: number): number {
    return Number(this.data.readBigUInt64LE(offset));
  }

  private fileOffset(address: number): number {
    for (const section of this.sections.values()) {
      if (address >= section.address && address < section.address + section.size) {
        return section.offset + address - section.address;
      }
    }
    throw new Error(`address 0x${address.toString(16)} is in no section`);
  }

  private section(name: string): Section {
    const section = this.sections.get(name);
    if (section === undefined) throw new Error(`the file has no section ${name}; is it a Go executable?`);
    return section;
  }

  private readSections(): Map<string, Section> {
    const { data } = this;
    const table = this.pointer(0x28);
    const entryBytes = data.readUInt16LE(0x3a);
    const count = data.readUInt16LE(0x3c);
    const namesEntry = table + data.readUInt16LE(0x3e) * entryBytes;
    const names = this.pointer(namesEntry + 24);
    const sections = new Map<string, Section>();
    for (let i = 1; i < count; i++) {
      const entry = table + i * entryBytes;
      const start = names + data.readUInt32LE(entry);
      const name = data.toString('latin1', start, data.indexOf(0, start));
      const isInFile = data.readUInt32LE(entry + 4) !== 8;
      if (isInFile && this.pointer(entry + 16) !== 0) {
        sections.set(name, {
          address: this.pointer(entry + 16),
          offset: this.pointer(entry + 24),
          size: this.pointer(entry + 32),
        });
      }
    }
    return sections;
  }
}

export function qualifiedName(type: GoType): string {
  return `${type.packagePath}.${type.text.split('.').at(-1)}`;
}

/** The value of a key in a struct tag: `json:"name,omitempty" protobuf:"bytes,1,opt"`. */
export function tagValue(tag: string, key: string): string | undefined {
  return new RegExp(`(?:^| )${key}:"([^"]*)"`).exec(tag)?.[1];
}
