/** Open file descriptions: what descriptors of processes refer to, closed when the last of them lets go. */
import { PassThrough, Readable, Writable } from 'node:stream';
import type { ContainerFiles } from './files/container-files.ts';
import { FileError } from './files/file-error.ts';
import type { DeviceName, FileNode, FileTreeNode } from './files/file-node.ts';

export interface OpenFileEnds {
  /** The stream to read from; asked anew by every program, for a terminal starts a new stream after an end of file. */
  readonly reader?: () => Readable;
  readonly writer?: () => Writable;
  /** The last descriptor is closed. */
  readonly close?: () => void;
  readonly isTerminal?: boolean;
}

export class OpenFile {
  readonly isTerminal: boolean;
  private readonly ends: OpenFileEnds;
  private references = 1;

  constructor(ends: OpenFileEnds) {
    this.ends = ends;
    this.isTerminal = ends.isTerminal ?? false;
  }

  get readable(): boolean {
    return this.ends.reader !== undefined;
  }

  get writable(): boolean {
    return this.ends.writer !== undefined;
  }

  reader(): Readable {
    return this.ends.reader?.() ?? emptyReadable();
  }

  writer(): Writable {
    return this.ends.writer?.() ?? closedWritable();
  }

  retain(): this {
    this.references += 1;
    return this;
  }

  release(): void {
    this.references -= 1;
    if (this.references === 0) this.ends.close?.();
  }
}

/** A stream without a byte in it. */
export function emptyReadable(): Readable {
  return new Readable({
    read() {
      this.push(null);
    },
  });
}

function closedWritable(): Writable {
  const stream = new Writable();
  stream.destroy();
  return stream;
}

/** Takes and forgets everything. */
export function discardWritable(): Writable {
  return new Writable({
    write(_chunk, _encoding, done) {
      done();
    },
  });
}

const PIPE_BYTES = 65_536;

/** A pipe; the writer waits when 64 KiB are unread, and meets a broken pipe when the reading end is closed. */
export function openPipe(): { readonly reading: OpenFile; readonly writing: OpenFile } {
  const stream = new PassThrough({ highWaterMark: PIPE_BYTES });
  return {
    reading: new OpenFile({ reader: () => stream, close: () => stream.destroy() }),
    writing: new OpenFile({ writer: () => stream, close: () => stream.end() }),
  };
}

export function readerFile(stream: Readable): OpenFile {
  return new OpenFile({ reader: () => stream });
}

export function writerFile(stream: Writable): OpenFile {
  return new OpenFile({ writer: () => stream });
}

/** Bytes to be read as a file: a here-document. */
export function bytesFile(bytes: Uint8Array): OpenFile {
  const stream = bytesReadable(bytes);
  return new OpenFile({ reader: () => stream, close: () => stream.destroy() });
}

export function bytesReadable(bytes: Uint8Array): Readable {
  let offset = 0;
  return new Readable({
    highWaterMark: PIPE_BYTES,
    read(size) {
      const end = Math.min(bytes.length, offset + Math.max(size, PIPE_BYTES));
      this.push(offset < end ? Buffer.from(bytes.subarray(offset, end)) : null);
      offset = end;
    },
  });
}

export type OpenMode = 'read' | 'write' | 'append' | 'read-write' | 'exclusive';

/** What the opening process has as its own standard streams, for `/dev/stdout` and its kin. */
export type StandardFiles = (device: DeviceName) => OpenFile | undefined;

/** Opens an absolute path as open(2); throws `FileError`. */
export function openPath(files: ContainerFiles, path: string, mode: OpenMode, standard: StandardFiles): OpenFile {
  const existing = files.exists(path) ? files.node(path) : undefined;
  if (existing?.kind === 'device') return openDevice(existing.device, path, standard);
  if (mode === 'read') return openForReading(files.node(path), path);
  if (mode === 'exclusive' && existing?.kind === 'file') throw new FileError('EEXIST', path);
  const file = files.fileForWriting(path);
  if (mode === 'write' || mode === 'exclusive') file.truncate();
  const stream = fileWritable(file, mode);
  if (mode !== 'read-write') return writerFile(stream);
  const reader = bytesReadable(file.bytes);
  return new OpenFile({ reader: () => reader, writer: () => stream });
}

function openForReading(node: FileTreeNode, path: string): OpenFile {
  switch (node.kind) {
    case 'file':
      return bytesFile(node.bytes);
    case 'generated':
      return bytesFile(new TextEncoder().encode(node.read()));
    case 'directory':
      throw new FileError('EISDIR', path);
    default:
      throw new FileError('ENXIO', path);
  }
}

function fileWritable(file: FileNode, mode: OpenMode): Writable {
  let offset = 0;
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      const start = mode === 'append' ? file.sizeBytes : Math.min(offset, file.sizeBytes);
      file.write(start, chunk);
      offset = start + chunk.length;
      done();
    },
  });
}

function openDevice(device: DeviceName, path: string, standard: StandardFiles): OpenFile {
  switch (device) {
    case 'null':
      return new OpenFile({ reader: emptyReadable, writer: discardWritable });
    case 'zero':
      return endlessFile((bytes) => bytes.fill(0));
    case 'full':
      throw new FileError('ENOSPC', path);
    case 'random':
    case 'urandom':
      return endlessFile((bytes) => crypto.getRandomValues(bytes));
    default: {
      const file = standard(device);
      if (file === undefined) throw new FileError('ENXIO', path);
      return file.retain();
    }
  }
}

function endlessFile(fill: (bytes: Uint8Array<ArrayBuffer>) => void): OpenFile {
  const stream = new Readable({
    read(size) {
      const bytes = new Uint8Array(Math.min(size, PIPE_BYTES));
      fill(bytes);
      this.push(Buffer.from(bytes.buffer));
    },
  });
  return new OpenFile({ reader: () => stream, writer: discardWritable, close: () => stream.destroy() });
}
