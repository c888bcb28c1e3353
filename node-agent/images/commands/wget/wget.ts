/** wget as busybox has it: `-q`, `-O`, `-T`, `-S`, `--spider`, `--post-data`, `--header`, `-U`, `-c`. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { requestOver } from '../../../../shared/podnet/http.ts';
import { ResolveError } from '../../../../shared/podnet/resolver.ts';
import { socketErrorCode, socketErrorText } from '../../../../shared/podnet/socket-error.ts';
import { type ParsedOptions, parseOptions, UsageError } from '../../coreutils/options.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { nextChunk, write } from '../../program-io.ts';
import { endpointText } from '../endpoint-text.ts';
import { familyAsked } from '../ping/target.ts';

const MAX_REDIRECTS = 20;
const DEFAULT_TIMEOUT_S = 900;

class WgetError extends Error {
  override readonly name = 'WgetError';
}

export const wget: Utility = async (run) => {
  const options = parseOptions(run.args, {
    flags: 'cqSdr46nNkvb',
    values: 'OTUPYotwe',
    long: {
      spider: 'spider',
      'header=': 'header',
      'post-data=': 'post-data',
      'post-file=': 'post-file',
      'no-check-certificate': 'insecure',
      'output-document=': 'O',
      'timeout=': 'T',
      'tries=': 't',
      'user-agent=': 'U',
      quiet: 'q',
      'server-response': 'S',
      'directory-prefix=': 'P',
      'content-on-error': 'content-on-error',
      'no-verbose': 'q',
      'method=': 'method',
      'body-data=': 'post-data',
      'connect-timeout=': 'T',
      'progress=': 'progress',
    },
  });
  if (options.operands.length === 0) throw new UsageError('missing URL');
  for (const url of options.operands) {
    try {
      await fetchUrl(run, options, url);
    } catch (error) {
      if (!(error instanceof WgetError)) throw error;
      await run.complain(error.message);
      return 1;
    }
  }
  return 0;
};

async function fetchUrl(run: Invocation, options: ParsedOptions, given: string): Promise<void> {
  let url = parseUrl(given);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await request(run, options, url);
    const code = response.statusCode ?? 0;
    if (options.has('S')) {
      await tell(run, options, `  HTTP/${response.httpVersion} ${code} ${response.statusMessage}`);
      for (let index = 0; index < response.rawHeaders.length; index += 2)
        await write(run.context.stderr, `  ${response.rawHeaders[index]}: ${response.rawHeaders[index + 1]}\n`);
    }
    const { location } = response.headers;
    if (code >= 300 && code < 400 && location !== undefined) {
      response.destroy();
      url = new URL(location, url);
      continue;
    }
    if ((code < 200 || code >= 300) && !options.has('content-on-error')) {
      response.destroy();
      throw new WgetError(`server returned error: HTTP/${response.httpVersion} ${code} ${response.statusMessage}`);
    }
    if (options.has('spider')) {
      response.destroy();
      await tell(run, options, 'remote file exists');
      return;
    }
    await save(run, options, url, response);
    return;
  }
  throw new WgetError('too many redirections');
}

function parseUrl(text: string): URL {
  const withScheme = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(withScheme)) throw new WgetError(`bad address '${text}'`);
  const url = new URL(withScheme);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new WgetError(`not an http or ftp url: ${text}`);
  return url;
}

async function tell(run: Invocation, options: ParsedOptions, line: string): Promise<void> {
  if (!options.has('q')) await write(run.context.stderr, `${line}\n`);
}

async function request(run: Invocation, options: ParsedOptions, url: URL): Promise<IncomingMessage> {
  const timeoutMs = (options.number('T') ?? DEFAULT_TIMEOUT_S) * 1000;
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const address = await resolve(run, options, url.hostname.replace(/^\[|\]$/g, ''));
  await tell(run, options, `Connecting to ${url.host} (${endpointText(address, port)})`);
  const signal = AbortSignal.any([run.context.signal, AbortSignal.timeout(timeoutMs)]);
  const socket = await run.context.container.network
    .connectTcp({ host: address, port }, signal)
    .catch((error: unknown) => {
      const code = socketErrorCode(error);
      if (code === undefined) throw error;
      if (signal.aborted) throw new WgetError('download timed out');
      throw new WgetError(`can't connect to remote host (${address}): ${socketErrorText(code)}`);
    });
  socket.setTimeout(timeoutMs, () => socket.destroy(new WgetError('download timed out')));
  const stream = url.protocol === 'https:' ? await secure(socket, url.hostname, options.has('insecure')) : socket;
  return send(run, options, url, stream);
}

async function resolve(run: Invocation, options: ParsedOptions, host: string): Promise<string> {
  try {
    return await run.context.container.resolver.lookupOne(host, run.context.signal, familyAsked(run, options));
  } catch (error) {
    if (error instanceof ResolveError) throw new WgetError(`bad address '${host}'`);
    throw error;
  }
}

function secure(socket: Duplex, servername: string, insecure: boolean): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const stream = tls.connect({
      socket,
      servername: /^[\d.]+$/.test(servername) ? '' : servername,
      rejectUnauthorized: !insecure,
    });
    stream.once('secureConnect', () => resolve(stream));
    stream.once('error', (error) => reject(new WgetError(`TLS error: ${error.message}`)));
  });
}

function send(run: Invocation, options: ParsedOptions, url: URL, stream: Duplex): Promise<IncomingMessage> {
  const { files } = run.context.container;
  const postFile = options.value('post-file');
  const body =
    options.value('post-data') ?? (postFile === undefined ? undefined : files.readText(run.resolve(postFile)));
  const headers: Record<string, string> = {
    Host: url.host,
    'User-Agent': options.value('U') ?? 'Wget',
    Connection: 'close',
  };
  if (body !== undefined) {
    headers['Content-Type'] = 'application/x-www-form-urlencoded';
    headers['Content-Length'] = String(Buffer.byteLength(body));
  }
  for (const line of options.values('header')) {
    const colon = line.indexOf(':');
    if (colon > 0) headers[line.slice(0, colon)] = line.slice(colon + 1).trim();
  }
  const method = options.value('method') ?? (options.has('spider') ? 'HEAD' : body === undefined ? 'GET' : 'POST');
  return new Promise((resolve, reject) => {
    const outgoing = requestOver(stream, {
      method,
      path: url.pathname + url.search,
      headers,
    });
    outgoing.once('response', resolve);
    outgoing.once('error', (error) => {
      if (error instanceof WgetError) reject(error);
      else
        reject(
          new WgetError(
            error.message === 'socket hang up'
              ? 'error getting response'
              : `error getting response: ${errorSentence(error)}`,
          ),
        );
    });
    outgoing.end(body);
  });
}

function errorSentence(error: Error): string {
  const code = socketErrorCode(error);
  return code === undefined ? error.message : socketErrorText(code);
}

async function save(run: Invocation, options: ParsedOptions, url: URL, response: IncomingMessage): Promise<void> {
  const name =
    options.value('O') ??
    `${options.has('P') ? `${options.value('P')}/` : ''}${url.pathname.split('/').at(-1) || 'index.html'}`;
  const file = name === '-' ? undefined : run.openFile(name, 'write');
  if (file !== undefined) await tell(run, options, `saving to '${name}'`);
  else await tell(run, options, 'writing to stdout');
  let problem: Error | undefined;
  response.on('error', (error) => {
    problem = error;
  });
  let bytes = 0;
  for (
    let chunk = await nextChunk(response, run.context.signal);
    chunk !== undefined;
    chunk = await nextChunk(response, run.context.signal)
  ) {
    bytes += chunk.length;
    if (file === undefined) await run.print(chunk);
    else await write(file.writer(), chunk);
  }
  file?.release();
  if (!response.complete) throw problem instanceof WgetError ? problem : new WgetError('connection closed prematurely');
  const shown = name === '-' ? '-' : (name.split('/').at(-1) ?? name);
  await tell(
    run,
    options,
    `${shown.padEnd(20)} 100% |********************************| ${String(bytes).padStart(5)}  0:00:00 ETA`,
  );
  await tell(run, options, name === '-' ? 'written to stdout' : `'${name}' saved`);
}
