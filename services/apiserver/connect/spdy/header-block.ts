/**
 * SPDY/3.1 header blocks (draft-mbelshe-httpbis-spdy-00 section 2.6.10): pairs of length-prefixed strings, compressed by
 * one zlib stream for each direction of a connection, primed with a dictionary that both sides know.
 */
import { constants, createInflate, type Inflate } from 'node:zlib';
import { setField } from '../../../../shared/api/object.ts';

export type Headers = Readonly<Record<string, string>>;

/** A client's header block never needs more. */
const MAX_HEADER_BLOCK_BYTES = 64 * 1024;

/** `count`, then `length name length value` each; undefined when a length points outside. */
export function parseHeaders(block: Buffer): Headers | undefined {
  const headers: Record<string, string> = {};
  let offset = 0;
  const readUint32 = (): number | undefined => {
    if (offset + 4 > block.length) return undefined;
    offset += 4;
    return block.readUInt32BE(offset - 4);
  };
  const readText = (): string | undefined => {
    const length = readUint32();
    if (length === undefined || offset + length > block.length) return undefined;
    offset += length;
    return block.toString('utf8', offset - length, offset);
  };
  const count = readUint32();
  if (count === undefined) return undefined;
  for (let pair = 0; pair < count; pair++) {
    const name = readText();
    const value = readText();
    if (name === undefined || value === undefined) return undefined;
    setField(headers, name.toLowerCase(), value);
  }
  return headers;
}

export function serializeHeaders(headers: Headers): Buffer {
  const pairs = Object.entries(headers);
  const text = (value: string): Buffer[] => {
    const bytes = Buffer.from(value, 'utf8');
    return [uint32(bytes.length), bytes];
  };
  return Buffer.concat([uint32(pairs.length), ...pairs.flatMap(([name, value]) => [...text(name), ...text(value)])]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** The receiving direction. Blocks must be given in the order in which they came, one after the other. */
export class HeaderInflater {
  private readonly inflate: Inflate = createInflate({ dictionary: DICTIONARY });
  private chunks: Buffer[] = [];
  private length = 0;
  private fail: ((error: Error) => void) | undefined;

  constructor() {
    this.inflate.on('data', (chunk: Buffer) => {
      this.length += chunk.length;
      // A bomb is cut off here: the rest of it is not kept.
      if (this.length <= MAX_HEADER_BLOCK_BYTES) this.chunks.push(chunk);
    });
    this.inflate.on('error', (error) => this.fail?.(error));
  }

  /** Rejects when the block is not zlib data of this connection, or is too large. */
  decompress(block: Uint8Array): Promise<Buffer> {
    this.chunks = [];
    this.length = 0;
    return new Promise((resolve, reject) => {
      this.fail = reject;
      this.inflate.write(block);
      this.inflate.flush(constants.Z_SYNC_FLUSH, () => {
        if (this.length > MAX_HEADER_BLOCK_BYTES) reject(new Error('the SPDY header block is too large'));
        else resolve(Buffer.concat(this.chunks));
      });
    });
  }

  close(): void {
    this.inflate.close();
  }
}

const EMPTY_BLOCK = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff]);

/**
 * The sending direction writes stored blocks (RFC 1951 section 3.2.4): our answers are a few bytes, and a stored block
 * needs no state beyond "the zlib header was sent". The empty block after it is the flush that decoders wait for.
 */
export class HeaderDeflater {
  private started = false;

  compress(block: Buffer): Buffer {
    const prefix = this.started ? [] : [Buffer.from([0x78, 0x01])];
    this.started = true;
    const lengths = Buffer.alloc(5);
    lengths.writeUInt16LE(block.length, 1);
    lengths.writeUInt16LE(~block.length & 0xffff, 3);
    return Buffer.concat([...prefix, lengths, block, EMPTY_BLOCK]);
  }
}

/** The strings of the dictionary in SPDY/3 (section 2.6.10.1): words with a length before them, then plain text. */
const DICTIONARY_WORDS = [
  'options',
  'head',
  'post',
  'put',
  'delete',
  'trace',
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'accept-ranges',
  'age',
  'allow',
  'authorization',
  'cache-control',
  'connection',
  'content-base',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'etag',
  'expect',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'pragma',
  'proxy-authenticate',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'server',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'vary',
  'via',
  'warning',
  'www-authenticate',
  'method',
  'get',
  'status',
  '200 OK',
  'version',
  'HTTP/1.1',
  'url',
  'public',
  'set-cookie',
  'keep-alive',
  'origin',
];

const DICTIONARY_TEXT =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505' +
  '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized' +
  '403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable' +
  'Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT' +
  'chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,' +
  'publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.';

export const DICTIONARY = Buffer.concat([
  ...DICTIONARY_WORDS.flatMap((word) => [uint32(word.length), Buffer.from(word, 'latin1')]),
  Buffer.from(DICTIONARY_TEXT, 'latin1'),
]);
