/**
 * What this process calls below Node: the C library and libuv, both inside the node binary (`koffi`). Linux on 64-bit
 * little-endian machines; whoever lays out a structure for it relies on that.
 */
import { endianness } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { isMainThread } from 'node:worker_threads';

/** Buffers for pointers; or a pointer as a number, where it is declared as `uintptr_t`. */
export type NativeFunction = (...values: (number | Uint8Array | Uint32Array | Int32Array | null)[]) => number;

export interface NativeLibrary {
  /** A C function by its declaration: `int close(int)`. */
  declare(declaration: string): NativeFunction;
  /** What a call returned, or the negative errno of its failure. */
  outcome(result: number): number;
  /** Where the first byte of a buffer stands in this process' memory. */
  addressOf(bytes: Uint8Array): number;
  closeDescriptor(descriptor: number): void;
  /** `onReadable` is called by libuv, which cannot take an error, while there is something to read; returns what ends that. */
  poll(descriptor: number, onReadable: () => void): () => void;
}

type Koffi = typeof import('koffi').default;

export class NativeCallError extends Error {
  /** As errors of Node's have it: `EADDRINUSE`. */
  readonly code: string;

  /** `errno` negative, as `outcome` gives it. */
  constructor(call: string, errno: number) {
    const code = getSystemErrorName(errno);
    super(`${call}: ${code}`);
    this.name = 'NativeCallError';
    this.code = code;
  }
}

const UV_READABLE = 1;
/** More than sizeof(uv_poll_t) on any platform. */
const POLL_HANDLE_BYTES = 512;

/** Handles that libuv still knows: their memory must stay. */
const closing = new Set<Uint8Array>();

let loaded: Promise<NativeLibrary> | undefined;

/** Rejects, saying why, where there is no such library. */
export function loadNativeLibrary(): Promise<NativeLibrary> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<NativeLibrary> {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch) || endianness() !== 'LE') {
    throw new Error(`sockets of our own are there on Linux (x64, arm64), not on ${process.platform}`);
  }
  const { default: koffi } = await import('koffi');
  const self = koffi.load(null);
  const closeDescriptor = self.func('int close(int)');
  let poll: NativeLibrary['poll'] | undefined;
  return {
    declare: (declaration) => self.func(declaration),
    outcome: (result) => (result < 0 ? -koffi.errno() : result),
    addressOf: (bytes) => Number(koffi.address(bytes)),
    closeDescriptor: (descriptor) => {
      closeDescriptor(descriptor);
    },
    poll(descriptor, onReadable) {
      poll ??= pollThroughLibuv(koffi, self);
      return poll(descriptor, onReadable);
    },
  };
}

/** Throws where libuv cannot be called. */
function pollThroughLibuv(koffi: Koffi, self: ReturnType<Koffi['load']>): NativeLibrary['poll'] {
  if (!isMainThread) throw new Error('descriptors polled through libuv work on the main thread only');
  // libuv hands it its handle, a status and the events; what is not declared is not converted either.
  const readableType = koffi.proto('void podwire_readable()');
  const defaultLoop = self.func('uintptr_t uv_default_loop()');
  const pollInit = self.func('int uv_poll_init(uintptr_t, void *, int)');
  const pollStart = self.func('uv_poll_start', 'int', ['void *', 'int', koffi.pointer(readableType)]);
  const pollStop = self.func('int uv_poll_stop(void *)');
  const closeHandle = self.func('void uv_close(void *, void *)');
  return (descriptor, onReadable) => {
    const handle = new Uint8Array(POLL_HANDLE_BYTES);
    const failed: number = pollInit(defaultLoop(), handle, descriptor);
    if (failed < 0) throw new NativeCallError('uv_poll_init', failed);
    const callback = koffi.register(onReadable, koffi.pointer(readableType));
    pollStart(handle, UV_READABLE, callback);
    return () => {
      pollStop(handle);
      closeHandle(handle, null);
      // libuv lets go of the handle at the end of this round of its loop, and this may be a call of the callback.
      closing.add(handle);
      const release = (): void => {
        koffi.unregister(callback);
        closing.delete(handle);
      };
      setImmediate(() => setImmediate(release));
    };
  };
}
