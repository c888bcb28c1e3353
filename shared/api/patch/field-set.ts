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
    if (this.isMember) return false;
    for (const child of this.children.values()) if (!child.isEmpty()) return false;
    return true;
  }

  /** Every member, parents before children. */
  paths(): FieldPath[] {
    const found: FieldPath[] = [];
    this.collectPaths([], found);
    return found;
  }

  private collectPaths(prefix: FieldPath, found: FieldPath[]): void {
    if (this.isMember && prefix.length > 0) found.push(prefix);
    for (const [element, child] of this.children) child.collectPaths([...prefix, element], found);
  }

  union(other: FieldSet): FieldSet {
    const set = new FieldSet();
    set.isMember = this.isMember || other.isMember;
    for (const [element, child] of this.children) {
      const theirs = other.children.get(element);
      set.children.set(element, theirs === undefined ? child : child.union(theirs));
    }
    for (const [element, child] of other.children) if (!this.children.has(element)) set.children.set(element, child);
    return set;
  }

  without(other: FieldSet): FieldSet {
    return this.reduced(
      other,
      (theirs) => this.isMember && !theirs.isMember,
      (child, theirs) => child.without(theirs),
    );
  }

  /** Drops the members at and below each path of the other set. */
  withoutBranches(other: FieldSet): FieldSet {
    if (other.isMember) return new FieldSet();
    return this.reduced(
      other,
      () => this.isMember,
      (child, theirs) => child.withoutBranches(theirs),
    );
  }

  /** What is nowhere in the other set stays as it is, shared with this one. */
  private reduced(
    other: FieldSet,
    staysMember: (other: FieldSet) => boolean,
    reduce: (child: FieldSet, other: FieldSet) => FieldSet,
  ): FieldSet {
    const set = new FieldSet();
    set.isMember = staysMember(other);
    for (const [element, child] of this.children) {
      const theirs = other.children.get(element);
      const rest = theirs === undefined ? child : reduce(child, theirs);
      if (rest.isMember || rest.children.size > 0) set.children.set(element, rest);
    }
    return set;
  }

  equals(other: FieldSet): boolean {
    const mine = this.paths();
    return mine.length === other.paths().length && mine.every((path) => other.has(path));
  }

  toFieldsV1(): JsonObject {
    const out: JsonObject = {};
    if (this.isMember) out['.'] = {};
    let isLeaf = true;
    for (const [element, child] of this.children) {
      if (child.isEmpty()) continue;
      isLeaf = false;
      setField(out, element, child.toFieldsV1());
    }
    return isLeaf ? {} : out;
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
