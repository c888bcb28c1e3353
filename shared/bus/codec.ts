import { Packr } from 'msgpackr';

/** Every message and stored object is plain MessagePack: no shared records, so that any reader can decode it alone. */
const settings = {
  useRecords: false,
  // JSON's rule: a field that is undefined is not there. (Missing in the package's type declarations.)
  skipValues: [undefined],
};
const packr = new Packr(settings);

/** Bytes that came from outside and are not MessagePack. */
export class MalformedMessageError extends Error {
  override name = 'MalformedMessageError';
}

/** A copy of its own: the packer reuses its buffer. */
export function encodeMessage(value: unknown): Uint8Array {
  return packr.pack(value);
}

/**
 * The JSON value that was encoded. A key `__proto__` arrives as `__proto_`: msgpackr lets no message reach a prototype.
 * @throws MalformedMessageError for bytes that are not one MessagePack value.
 */
export function decodeMessage(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes);
  } catch (cause) {
    throw new MalformedMessageError(`${bytes.length} bytes are not a MessagePack value`, { cause });
  }
}
