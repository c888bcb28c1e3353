/** Reads a request's body, within limits of size and time, and decodes it by its media type. */
import type { IncomingMessage } from 'node:http';
import { type ApiError, badRequest, requestEntityTooLarge, unsupportedMediaType } from '../../../shared/api/status.ts';
import type { RequestBody } from '../registry/api-call.ts';
import { parseMediaType } from './negotiation.ts';

export const MAX_BODY_BYTES = 3 * 1024 * 1024;
/** So much of a body that is too large is read and thrown away: a client hears the refusal once it has sent all. */
const MAX_DISCARDED_BYTES = 64 * 1024 * 1024;
/** The same for requests that are refused for other reasons, which may be anybody's: as much as Go's server reads. */
const MAX_UNREAD_BYTES = 256 * 1024;
const SUPPORTED = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];

/** Undefined when there is no body. Throws RequestEntityTooLarge, UnsupportedMediaType, BadRequest. */
export async function readBody(request: IncomingMessage): Promise<RequestBody | undefined> {
  const bytes = await readBytes(request);
  if (bytes.length === 0) return undefined;
  const header = request.headers['content-type'];
  return decodeBytes(bytes, header === undefined ? 'application/json' : parseMediaType(header).type);
}

function readBytes(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= MAX_BODY_BYTES) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      if (length <= MAX_DISCARDED_BYTES) return;
      request.pause();
      reject(tooLarge());
    });
    request.on('end', () => {
      if (length > MAX_BODY_BYTES) reject(tooLarge());
      else resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    });
    request.on('error', () => reject(badRequest('the connection broke while the body was read')));
    request.on('aborted', () => reject(badRequest('the client went away while the body was read')));
  });
}

/**
 * Reads what is left of a request that is not carried out, and throws it away: who closes with bytes unread resets the
 * connection, and the client may never see the answer. False when there is too much of it.
 */
export function discardBody(request: IncomingMessage): Promise<boolean> {
  if (request.complete) return Promise.resolve(true);
  if (request.destroyed || request.isPaused()) return Promise.resolve(false);
  return new Promise((resolve) => {
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= MAX_UNREAD_BYTES) return;
      request.pause();
      resolve(false);
    });
    request.on('end', () => resolve(true));
    request.on('close', () => resolve(false));
  });
}

function tooLarge(): ApiError {
  return requestEntityTooLarge(`Request entity too large: limit is ${MAX_BODY_BYTES}`);
}

/** The media types of objects and of patches. */
export async function decodeBytes(bytes: Buffer, mediaType: string): Promise<RequestBody> {
  switch (mediaType) {
    case 'application/vnd.kubernetes.protobuf': {
      const { decodeProtobuf } = await import('../../../shared/api/protobuf/decode.ts');
      return { mediaType, value: decodeProtobuf(bytes).object, duplicateFields: [] };
    }
    case 'application/yaml':
    case 'application/x-yaml':
    case 'text/yaml':
      return { mediaType, ...(await decodeYaml(bytes)) };
    case 'application/apply-patch+yaml':
      return { mediaType, ...(bytes[0] === 0x7b ? decodeJson(bytes) : await decodeYaml(bytes)) };
    case 'application/json':
    case 'application/json-patch+json':
    case 'application/merge-patch+json':
    case 'application/strategic-merge-patch+json':
      return { mediaType, ...decodeJson(bytes) };
    default:
      throw unsupportedMediaType(SUPPORTED);
  }
}

type Decoded = Pick<RequestBody, 'value' | 'duplicateFields'>;

function decodeJson(bytes: Buffer): Decoded {
  const text = bytes.toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    return { value, duplicateFields: duplicateFields(text) };
  } catch (error) {
    if (error instanceof SyntaxError)
      throw badRequest(`the object provided is unrecognized (must be of type Object): ${error.message}`);
    throw error;
  }
}

async function decodeYaml(bytes: Buffer): Promise<Decoded> {
  const { default: yaml } = await import('yaml');
  const text = bytes.toString('utf8');
  // Aliases can make a small document huge.
  const document = yaml.parseDocument(text, { uniqueKeys: true, merge: true });
  if (document.errors.length > 0) throw badRequest(`error converting YAML to JSON: ${document.errors[0]!.message}`);
  try {
    return { value: document.toJS({ maxAliasCount: 100 }) as unknown, duplicateFields: [] };
  } catch (error) {
    if (error instanceof ReferenceError) throw badRequest(`error converting YAML to JSON: ${error.message}`);
    throw error;
  }
}

/**
 * Paths of names that stand twice in one object, which JSON.parse lets pass. The text is known to be valid JSON, so
 * that strings, braces and brackets are all there is to look at.
 */
export function duplicateFields(text: string): string[] {
  const found: string[] = [];
  const stack: Level[] = [];
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;
  let expectName = false;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const symbol = match[0];
    const level = stack.at(-1);
    if (symbol === '{') {
      stack.push({ names: new Set(), name: '', index: -1 });
      expectName = true;
    } else if (symbol === '[') {
      stack.push({ names: undefined, name: '', index: 0 });
      expectName = false;
    } else if (symbol === '}' || symbol === ']') {
      stack.pop();
      expectName = false;
    } else if (symbol === ',') {
      if (level?.names === undefined) level!.index++;
      else expectName = true;
    } else if (symbol !== ':' && expectName) {
      expectName = false;
      const name: string = symbol.includes('\\') ? JSON.parse(symbol) : symbol.slice(1, -1);
      level!.name = name;
      if (level!.names!.has(name)) found.push(pathOf(stack));
      level!.names!.add(name);
    }
  }
  return found;
}

interface Level {
  /** Undefined in a list. */
  readonly names: Set<string> | undefined;
  name: string;
  index: number;
}

function pathOf(stack: readonly Level[]): string {
  let path = '';
  for (const level of stack) {
    if (level.names === undefined) path += `[${level.index}]`;
    else path += path === '' ? level.name : `.${level.name}`;
  }
  return path;
}
