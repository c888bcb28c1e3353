/** Pathname expansion (POSIX 2.13.3): the existing paths that a pattern names, sorted; none when there is no match. */

import { type ContainerFiles, resolvePath } from '../files/container-files.ts';
import { FileError } from '../files/file-error.ts';
import { hasPatternCharacters, patternToRegExp, unescapePattern } from './pattern.ts';

export function expandPathname(files: ContainerFiles, cwd: string, pattern: string): string[] {
  const absolute = pattern.startsWith('/');
  const parts = pattern.split('/').filter((part, index) => part !== '' || index === 0);
  let found = [absolute ? '/' : ''];
  for (const part of absolute ? parts.slice(1) : parts) {
    found = found.flatMap((base) => matches(files, cwd, base, part));
    if (found.length === 0) return [];
  }
  if (pattern.endsWith('/')) {
    found = found.filter((path) => isDirectory(files, resolvePath(cwd, path))).map((path) => `${path}/`);
  }
  return found.sort();
}

function matches(files: ContainerFiles, cwd: string, base: string, part: string): string[] {
  const directory = resolvePath(cwd, base === '' ? '.' : base);
  const join = (name: string): string => (base === '' || base.endsWith('/') ? `${base}${name}` : `${base}/${name}`);
  if (!hasPatternCharacters(part)) {
    const name = unescapePattern(part);
    return files.exists(resolvePath(directory, name)) ? [join(name)] : [];
  }
  if (!isDirectory(files, directory)) return [];
  const expression = patternToRegExp(part);
  const hidden = part.startsWith('.') || part.startsWith('\\.');
  return files
    .readdir(directory)
    .filter((name) => (hidden || !name.startsWith('.')) && expression.test(name))
    .map(join);
}

function isDirectory(files: ContainerFiles, path: string): boolean {
  try {
    return files.stat(path).kind === 'directory';
  } catch (error) {
    if (error instanceof FileError) return false;
    throw error;
  }
}
