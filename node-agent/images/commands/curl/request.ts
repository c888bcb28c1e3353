/** curl's request: method, headers and body from the command line; and what becomes of it after a redirect. */
import type { ParsedOptions } from '../../coreutils/options.ts';
import type { Invocation } from '../../coreutils/utility.ts';
import { FileError } from '../../files/file-error.ts';
import { readAll } from '../../program-io.ts';
import { CurlError, type TransferRequest } from './transfer.ts';

export const VERSION = '8.11.1';

export class RequestBuilder {
  private readonly run: Invocation;
  private readonly options: ParsedOptions;

  constructor(run: Invocation, options: ParsedOptions) {
    this.run = run;
    this.options = options;
  }

  /** The request that the options describe; throws `CurlError` for a file that cannot be read. */
  async build(url: URL): Promise<TransferRequest> {
    const { options } = this;
    let body = await this.requestBody();
    if (options.has('G') && body !== undefined) {
      const query = Buffer.from(body).toString();
      url.search = url.search === '' ? `?${query}` : `${url.search}&${query}`;
      body = undefined;
    }
    const method =
      options.value('X') ??
      (options.has('I') ? 'HEAD' : options.has('T') ? 'PUT' : body !== undefined ? 'POST' : 'GET');
    const host = url.port === '' ? url.hostname : `${url.hostname}:${url.port}`;
    const headers = new Map<string, [string, string]>();
    const add = (name: string, value: string): void => void headers.set(name.toLowerCase(), [name, value]);
    add('Host', host);
    const credentials =
      options.value('u') ??
      (url.username === '' ? undefined : `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`);
    if (credentials !== undefined) add('Authorization', `Basic ${Buffer.from(credentials).toString('base64')}`);
    if (options.has('oauth2-bearer')) add('Authorization', `Bearer ${options.value('oauth2-bearer')}`);
    add('User-Agent', options.value('A') ?? `curl/${VERSION}`);
    add('Accept', options.has('json') ? 'application/json' : '*/*');
    if (options.has('e')) add('Referer', options.value('e') ?? '');
    const cookies = options.values('b').filter((cookie) => cookie.includes('='));
    if (cookies.length > 0) add('Cookie', cookies.join('; '));
    if (options.has('r')) add('Range', `bytes=${options.value('r')}`);
    if (options.has('compressed')) add('Accept-Encoding', 'identity');
    if (body !== undefined) {
      add('Content-Length', String(body.length));
      if (!options.has('T'))
        add('Content-Type', options.has('json') ? 'application/json' : 'application/x-www-form-urlencoded');
    }
    for (const header of options.values('H')) {
      const [, name = '', separator, value = ''] = /^([^:;]+)([:;])\s*(.*)$/.exec(header) ?? [];
      if (separator === ':' && value === '') headers.delete(name.toLowerCase());
      else if (name !== '') add(name, value);
    }
    return { url, method, headers: [...headers.values()], body };
  }

  private async requestBody(): Promise<Uint8Array | undefined> {
    const { options } = this;
    const upload = options.value('T');
    if (upload !== undefined)
      return upload === '-' || upload === '.' ? readAll(this.run.context.stdin) : this.file(upload);
    const parts: Buffer[] = [];
    const add = (bytes: Uint8Array, separator = '&'): void => {
      if (parts.length > 0 && separator !== '') parts.push(Buffer.from(separator));
      parts.push(Buffer.from(bytes));
    };
    for (const name of ['d', 'data-binary', 'json'] as const) {
      for (const text of options.values(name)) {
        if (!text.startsWith('@')) add(Buffer.from(text), name === 'json' ? '' : '&');
        else {
          const bytes = text === '@-' ? await readAll(this.run.context.stdin) : this.file(text.slice(1));
          add(
            name === 'd'
              ? Buffer.from(
                  Buffer.from(bytes)
                    .toString()
                    .replace(/[\r\n\0]/g, ''),
                )
              : bytes,
          );
        }
      }
    }
    for (const text of options.values('data-raw')) add(Buffer.from(text));
    for (const text of options.values('data-urlencode')) {
      const equals = text.indexOf('=');
      add(
        Buffer.from(
          equals < 0
            ? encodeURIComponent(text)
            : `${text.slice(0, equals)}${equals > 0 ? '=' : ''}${encodeURIComponent(text.slice(equals + 1))}`,
        ),
      );
    }
    const given = ['d', 'data-binary', 'json', 'data-raw', 'data-urlencode'].some((name) => options.has(name));
    return given ? Buffer.concat(parts) : undefined;
  }

  private file(path: string): Uint8Array {
    try {
      return this.run.context.container.files.readBytes(this.run.resolve(path));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      throw new CurlError(26, `Failed to open ${path}`);
    }
  }
}

/** What a browser-like client sends after a redirect: 303 and, for POST, 301 and 302 become GET. */
export function redirected(request: TransferRequest, url: URL, code: number, methodForced: boolean): TransferRequest {
  const becomesGet = !methodForced && (code === 303 || ((code === 301 || code === 302) && request.method === 'POST'));
  const headers = request.headers
    .filter(([name]) => !(becomesGet && /^content-/i.test(name)))
    .map(([name, value]): [string, string] => (name.toLowerCase() === 'host' ? [name, url.host] : [name, value]));
  return { url, method: becomesGet ? 'GET' : request.method, headers, body: becomesGet ? undefined : request.body };
}
