/** What a web server finds in a container's files for the path of a URL. */
import { type ContainerFiles, resolvePath } from '../files/container-files.ts';
import { FileError } from '../files/file-error.ts';

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css',
  gif: 'image/gif',
  htm: 'text/html',
  html: 'text/html',
  ico: 'image/x-icon',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  js: 'application/javascript',
  json: 'application/json',
  md: 'text/plain',
  mjs: 'application/javascript',
  pdf: 'application/pdf',
  png: 'image/png',
  svg: 'image/svg+xml',
  txt: 'text/plain',
  wasm: 'application/wasm',
  webp: 'image/webp',
  xml: 'text/xml',
  yaml: 'text/plain',
  yml: 'text/plain',
};

export interface StaticFile {
  readonly kind: 'file';
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly type: string;
  readonly modifiedAtMs: number;
}

export type StaticContent =
  | StaticFile
  | { readonly kind: 'directory'; readonly path: string; readonly names: readonly string[] }
  | { readonly kind: 'absent' };

/** `url` is a request's target: query and percent signs are dealt with, and `..` does not lead out of `root`. */
export function readStatic(files: ContainerFiles, root: string, url: string): StaticContent {
  const decoded = decodePath(url.split(/[?#]/, 1)[0] ?? '/');
  if (decoded === undefined) return { kind: 'absent' };
  const path = resolvePath(root, `.${resolvePath('/', decoded)}`);
  try {
    const stat = files.stat(path);
    if (stat.kind === 'directory') return { kind: 'directory', path, names: files.readdir(path) };
    if (stat.kind !== 'file') return { kind: 'absent' };
    const { modifiedAtMs } = stat;
    return { kind: 'file', path, bytes: files.readBytes(path), type: contentType(path), modifiedAtMs };
  } catch (error) {
    if (error instanceof FileError) return { kind: 'absent' };
    throw error;
  }
}

export function contentType(path: string): string {
  const extension = /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
  return TYPES[extension] ?? 'application/octet-stream';
}

function decodePath(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
