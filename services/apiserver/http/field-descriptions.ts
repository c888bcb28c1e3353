/**
 * What the types and fields of the API mean, in the words of the Kubernetes API reference: the doc comments of the package
 * `kubernetes-types`, read as text when somebody asks for the first time.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export interface TypeDescription {
  readonly description: string;
  readonly fields: ReadonlyMap<string, string>;
}

const PACKAGE = 'kubernetes-types';

const read = new Map<string, ReadonlyMap<string, TypeDescription>>();

/** By the type table's name: `core.v1.PodSpec`. Undefined for types that are younger than the package. */
export function describeType(typeName: string): TypeDescription | undefined {
  const [group = '', version = '', name = ''] = typeName.split('.');
  const file = `${group}/${version}.d.ts`;
  let types = read.get(file);
  if (types === undefined) {
    types = readDescriptions(file);
    read.set(file, types);
  }
  return types.get(name);
}

function readDescriptions(file: string): ReadonlyMap<string, TypeDescription> {
  const path = join(packageFolder(), file);
  return existsSync(path) ? parseDescriptions(readFileSync(path, 'utf8')) : new Map();
}

function packageFolder(): string {
  return dirname(createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`));
}

const COMMENTED = /\/\*\*((?:[^*]|\*(?!\/))*)\*\/\s*(?:export interface (\w+)|(?:readonly )?["']?([\w$-]+)["']?\??:)/g;

/** From the text of a declaration file: a comment in front of each interface and of each of its fields. */
export function parseDescriptions(source: string): ReadonlyMap<string, TypeDescription> {
  const types = new Map<string, TypeDescription>();
  let fields = new Map<string, string>();
  for (const [, comment = '', typeName, fieldName] of source.matchAll(COMMENTED)) {
    const description = textOf(comment);
    if (typeName !== undefined) {
      fields = new Map();
      types.set(typeName, { description, fields });
    } else if (fieldName !== undefined) {
      fields.set(fieldName, description);
    }
  }
  return types;
}

function textOf(comment: string): string {
  return comment
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim();
}
