/** The container's paths as folders of the machine: what `fs` and the module loader are asked for, and what they are given. */
import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import Module from 'node:module';
import { relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MappedFolder, ProgramPlan } from '../program-plan.ts';
import { binding, replaceMethods } from './bindings.ts';

/** The machine's own: what the process itself is, and devices. */
const MACHINE_PATHS = /^\/(dev|proc)(\/|$)/;

const ONE_PATH = [
  'access',
  'appendFile',
  'chmod',
  'chown',
  'createReadStream',
  'createWriteStream',
  'exists',
  'glob',
  'lchmod',
  'lchown',
  'lstat',
  'lutimes',
  'mkdir',
  'mkdtemp',
  'open',
  'openAsBlob',
  'opendir',
  'readFile',
  'readdir',
  'readlink',
  'realpath',
  'rm',
  'rmdir',
  'stat',
  'statfs',
  'truncate',
  'unlink',
  'unwatchFile',
  'utimes',
  'watch',
  'watchFile',
  'writeFile',
];
const TWO_PATHS = ['copyFile', 'cp', 'link', 'rename', 'symlink'];

export class FilePaths {
  /** Inner folders first. */
  private readonly folders: readonly MappedFolder[];
  private readonly untouched: readonly string[];

  constructor({ folders, socketPath, preloadPath }: ProgramPlan) {
    this.folders = [...folders].sort((a, b) => b.path.length - a.path.length);
    this.untouched = [...folders.map(({ real }) => real), socketPath, preloadPath, process.execPath];
  }

  /** The machine's path of an absolute one of the container; one that is the machine's already stays. */
  toReal(path: string): string {
    const absolute = resolve(path);
    if (MACHINE_PATHS.test(absolute) || this.untouched.some((known) => isWithin(absolute, known))) return path;
    const folder = this.folders.find((candidate) => isWithin(absolute, candidate.path));
    if (folder === undefined) return path;
    const rest = relative(folder.path, absolute);
    const trailing = path.endsWith('/') && rest !== '' ? '/' : '';
    return resolve(folder.real, rest) + trailing;
  }

  toContainer(path: string): string {
    const folder = this.folders.find(({ real }) => isWithin(path, real));
    return folder === undefined ? path : resolve(folder.path, relative(folder.real, path));
  }

  /** What a function of `fs` takes for a path: a text, bytes, a file URL; descriptors and the rest stay. */
  mapped(value: unknown): unknown {
    if (typeof value === 'string') return this.toReal(value);
    if (value instanceof URL && value.protocol === 'file:') return this.toReal(fileURLToPath(value));
    if (Buffer.isBuffer(value)) return Buffer.from(this.toReal(value.toString()));
    return value;
  }
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || folder === '/' || path.startsWith(folder + sep);
}

export function installFilePaths(paths: FilePaths): void {
  for (const name of ONE_PATH) {
    for (const variant of [name, `${name}Sync`]) mapArguments(fs, variant, 1, paths);
    mapArguments(fsPromises, name, 1, paths);
  }
  for (const name of TWO_PATHS) {
    for (const variant of [name, `${name}Sync`]) mapArguments(fs, variant, 2, paths);
    mapArguments(fsPromises, name, 2, paths);
  }
  mapUnixSockets(paths);
  mapWorkingDirectory(paths);
  mapModules(paths);
}

type AnyFunction = (this: unknown, ...values: unknown[]) => unknown;

function mapArguments(owner: object, name: string, count: number, paths: FilePaths): void {
  const original: unknown = Reflect.get(owner, name);
  if (typeof original !== 'function') return;
  const call = original as AnyFunction;
  const mapped: AnyFunction = function mapped(...values) {
    for (let index = 0; index < count; index++) values[index] = paths.mapped(values[index]);
    return call.apply(this, values);
  };
  // `fs.realpath.native`, the promisified forms, the name.
  Object.defineProperties(mapped, Object.getOwnPropertyDescriptors(call));
  Reflect.set(owner, name, mapped);
}

function mapUnixSockets(paths: FilePaths): void {
  const { Pipe } = binding('pipe_wrap');
  const { bind, connect } = Pipe.prototype;
  replaceMethods(Pipe.prototype, {
    bind(this: object, path: string, ...more: unknown[]) {
      return bind.call(this, paths.toReal(path), ...more);
    },
    connect(this: object, request: object, path: string, ...more: unknown[]) {
      return connect.call(this, request, paths.toReal(path), ...more);
    },
  });
}

function mapWorkingDirectory(paths: FilePaths): void {
  const cwd = process.cwd.bind(process);
  process.cwd = () => paths.toContainer(cwd());
  if (process.argv[1] !== undefined) process.argv[1] = paths.toContainer(process.argv[1]);
  const chdir = process.chdir.bind(process);
  process.chdir = (directory) => chdir(paths.toReal(directory));
}

/** CommonJS' search for a file, which `node FILE` begins with too. */
function mapModules(paths: FilePaths): void {
  const loader = Module as unknown as { _findPath: AnyFunction };
  const findPath = loader._findPath;
  loader._findPath = function mapped(request, folders, ...more) {
    const absolute = typeof request === 'string' && request.startsWith('/') ? paths.toReal(request) : request;
    const searched = Array.isArray(folders)
      ? folders.map((folder: unknown) =>
          typeof folder === 'string' && folder.startsWith('/') ? paths.toReal(folder) : folder,
        )
      : folders;
    return findPath.call(this, absolute, searched, ...more);
  };
}
