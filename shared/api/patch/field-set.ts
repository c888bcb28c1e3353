/**
 * Sets of fields, as `managedFields` holds them in `fieldsV1`: a tree whose edges are path elements
 *
 *   f:NAME  a field · k:{"name":"web"}  an element of a keyed list · v:"x"  a value of a set · .  the place itself
 */
import { isJsonObject, type JsonObject, setField } from '../object.ts';

/** `f:spec`, `k:{"name":"web"}`, `v:"x"`. */
export type PathElement = string;
export type FieldPath = readonly PathElement[];

export class FieldSet {
  /** True when the place itself is in the set, not only what is below it. */
  isMember = false;
  readonly children = new Map<PathElement, FieldSet>();

  add(path: FieldPath): void {
    let node: FieldSet = this;
    for (const element of path) {
      let next = node.children.get(element);
      if (next === undefined) {
        next = new FieldSet();
        node.children.set(element, next);
      }
      node = next;
    }
    node.isMember = true;
  }

  has(path: FieldPath): boolean {
    return this.at(path)?.isMember ?? false;
  }

  /** What the set holds at and below a place. */
  at(path: FieldPath): FieldSet | undefined {
    let node: FieldSet | undefined = this;
    for (const element of path) node = node?.children.get(element);
    return node;
  }

  isEmpty(): boolean {
    return !this.isMember && [...this.children.values()].every((child) => child.isEmpty());
  }

  /** Every member, parents before children. */
  *paths(prefix: FieldPath = []): Generator<FieldPath> {
    if (this.isMember && prefix.length > 0) yield prefix;
    for (const [element, child] of this.children) yield* child.paths([...prefix, element]);
  }

  union(other: FieldSet): FieldSet {
    return FieldSet.of([...this.paths(), ...other.paths()]);
  }

  without(other: FieldSet): FieldSet {
    return FieldSet.of([...this.paths()].filter((path) => !other.has(path)));
  }

  /** Drops the members at and below each path of the other set. */
  withoutBranches(other: FieldSet): FieldSet {
    const branches = [...other.paths()];
    const isBelow = (path: FieldPath): boolean =>
      branches.some((branch) => branch.length <= path.length && branch.every((element, i) => element === path[i]));
    return FieldSet.of([...this.paths()].filter((path) => !isBelow(path)));
  }

  equals(other: FieldSet): boolean {
    const mine = [...this.paths()];
    return mine.length === [...other.paths()].length && mine.every((path) => other.has(path));
  }

  toFieldsV1(): JsonObject {
    const out: JsonObject = {};
    const inner = [...this.children].filter(([, child]) => !child.isEmpty());
    if (this.isMember && inner.length > 0) out['.'] = {};
    for (const [element, child] of inner) setField(out, element, child.toFieldsV1());
    return out;
  }

  static of(paths: Iterable<FieldPath>): FieldSet {
    const set = new FieldSet();
    for (const path of paths) set.add(path);
    return set;
  }

  /** Anything that is no tree of objects reads as an empty set. */
  static fromFieldsV1(fields: unknown): FieldSet {
    const set = new FieldSet();
    if (isJsonObject(fields)) readInto(set, fields);
    set.isMember = false;
    return set;
  }
}

function readInto(set: FieldSet, fields: JsonObject): void {
  const names = Object.keys(fields);
  set.isMember = names.length === 0 || names.includes('.');
  for (const name of names) {
    const below = fields[name];
    if (name === '.' || !isJsonObject(below)) continue;
    const child = new FieldSet();
    readInto(child, below);
    set.children.set(name, child);
  }
}

/** `.spec.containers[name="web"].image`, as conflicts are told. */
export function pathText(path: FieldPath): string {
  return path.map(elementText).join('');
}

function elementText(element: PathElement): string {
  const content = element.slice(2);
  switch (element[0]) {
    case 'k': {
      const keys = Object.entries(JSON.parse(content) as JsonObject);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${content}]`;
    default:
      return `.${content}`;
  }
}
