/** One request of curl: resolve, connect, TLS, send, receive; with the moments of each for `--write-out`. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { requestOver } from '../../../../shared/podnet/http.ts';
import type { PodTcpSocket } from '../../../../shared/podnet/pod-network.ts';
import { literalAddress, ResolveError } from '../../../../shared/podnet/resolver.ts';
import { socketErrorCode } from '../../../../shared/podnet/socket-error.ts';
import type { Invocation } from '../../coreutils/utility.ts';
import { endpointText } from '../endpoint-text.ts';
import type { CurlArguments } from './arguments.ts';

/** What ends a transfer: curl's exit code and its sentence. */
export class CurlError extends Error {
  override readonly name = 'CurlError';
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Milliseconds since the transfer's start. */
export interface TransferTimes {
  nameLookup: number;
  connect: number;
  appConnect: number;
  startTransfer: number;
}

export interface TransferRequest {
  readonly url: URL;
  readonly method: string;
  /** Name and value, in the order they are sent. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array | undefined;
}

export interface Transfer {
  readonly response: IncomingMessage;
  readonly socket: PodTcpSocket;
  readonly times: TransferTimes;
}

/** What `-v` says; each line with its mark (`*`, `>`, `<`). */
export type VerboseLog = (line: string) => void;

export class TransferRunner {
  private readonly run: Invocation;
  private readonly args: CurlArguments;
  private readonly log: VerboseLog;
  /** Aborted by --max-time and by signals. */
  private readonly signal: AbortSignal;
  private readonly startedMs: number;

  constructor(run: Invocation, args: CurlArguments, log: VerboseLog, signal: AbortSignal, startedMs: number) {
    this.run = run;
    this.args = args;
    this.log = log;
    this.signal = signal;
    this.startedMs = startedMs;
  }

  async perform(request: TransferRequest): Promise<Transfer> {
    const startedMs = performance.now();
    const times: TransferTimes = { nameLookup: 0, connect: 0, appConnect: 0, startTransfer: 0 };
    const since = (): number => performance.now() - startedMs;
    const { host, port, addresses } = await this.resolve(request.url);
    times.nameLookup = since();
    const socket = await this.connect(host, port, addresses, startedMs);
    times.connect = since();
    const secure = request.url.protocol === 'https:';
    const stream = secure ? await this.secure(socket, request.url.hostname) : socket;
    if (secure) times.appConnect = since();
    this.log(`* using HTTP/1.x`);
    const response = await this.exchange(request, stream);
    times.startTransfer = since();
    return { response, socket, times };
  }

  /** Where to connect to: `--connect-to` and `--resolve` before the resolver. */
  async resolve(url: URL): Promise<{ host: string; port: number; addresses: string[] }> {
    let host = url.hostname.replace(/^\[|\]$/g, '');
    let port = portOf(url);
    const redirect = this.args.connectTo.find(
      (entry) => (entry.host === '' || entry.host === host) && (entry.port === 0 || entry.port === port),
    );
    if (redirect !== undefined) {
      host = redirect.targets[0] || host;
      port = redirect.targetPort ?? port;
    }
    const pinned = this.args.resolve.find(
      (entry) => (entry.host === '*' || entry.host.toLowerCase() === host.toLowerCase()) && entry.port === port,
    );
    if (pinned !== undefined) {
      this.log(`* Added ${host}:${port}:${pinned.targets.join(',')} to DNS cache`);
      return { host, port, addresses: [...pinned.targets] };
    }
    try {
      const family = this.args.options.has('4') ? 4 : this.args.options.has('6') ? 6 : undefined;
      const found = await this.run.context.container.resolver.lookup(host, { family, signal: this.signal });
      const [four, six] = [4, 6].map((wanted) =>
        found.filter((entry) => entry.family === wanted).map((entry) => entry.address),
      ) as [string[], string[]]; // one for each of the two
      const addresses = four.length > 0 ? four : six;
      if (addresses.length === 0) throw new ResolveError('ENOTFOUND', host);
      if (literalAddress(host) === undefined) {
        this.log(`* Host ${host}:${port} was resolved.`);
        this.log(`* IPv6: ${six.join(', ') || '(none)'}`);
        this.log(`* IPv4: ${four.join(', ') || '(none)'}`);
      }
      return { host, port, addresses };
    } catch (error) {
      if (!(error instanceof ResolveError)) throw error;
      if (this.signal.aborted) throw new CurlError(28, `Resolving timed out after ${this.elapsed()} milliseconds`);
      throw new CurlError(6, `Could not resolve host: ${host}`);
    }
  }

  /** Each address in turn within the connect time-out. */
  async connect(host: string, port: number, addresses: readonly string[], startedMs: number): Promise<PodTcpSocket> {
    const { connectTimeoutMs } = this.args;
    const signal = AbortSignal.any([this.signal, AbortSignal.timeout(connectTimeoutMs)]);
    for (const address of addresses) {
      this.log(`*   Trying ${endpointText(address, port)}...`);
      try {
        const socket = await this.run.context.container.network.connectTcp(
          { host: address, port, ...this.local() },
          signal,
        );
        this.log(`* Connected to ${host} (${address}) port ${port}`);
        return socket;
      } catch (error) {
        const code = socketErrorCode(error);
        if (code === undefined) throw error;
        if (signal.aborted)
          throw new CurlError(
            28,
            `Connection timed out after ${Math.round(performance.now() - startedMs)} milliseconds`,
          );
        this.log(
          `* connect to ${address} port ${port} from 0.0.0.0 port 0 failed: ${code === 'ECONNREFUSED' ? 'Connection refused' : code === 'EHOSTUNREACH' ? 'Host is unreachable' : code === 'ENETUNREACH' ? 'Network unreachable' : 'Operation timed out'}`,
        );
        if (code === 'EADDRNOTAVAIL' || code === 'EADDRINUSE')
          throw new CurlError(45, 'bind failed with errno 99: Address not available');
        if (code === 'ETIMEDOUT')
          throw new CurlError(
            28,
            `Failed to connect to ${host} port ${port} after ${Math.round(performance.now() - startedMs)} ms: Could not connect to server`,
          );
      }
    }
    throw new CurlError(
      7,
      `Failed to connect to ${host} port ${port} after ${Math.round(performance.now() - startedMs)} ms: Could not connect to server`,
    );
  }

  private local(): { localAddress?: string; localPort?: number } {
    const { options } = this.args;
    const port = options.value('local-port');
    const local = options.value('interface');
    const localPort = port === undefined ? undefined : Number(port.split('-', 1)[0]);
    if (local === undefined || local === 'eth0') return { localPort };
    return { localAddress: local === 'lo' ? '127.0.0.1' : local.replace(/^(host|if)!/, ''), localPort };
  }

  private secure(socket: PodTcpSocket, servername: string): Promise<tls.TLSSocket> {
    const { options } = this.args;
    const { files } = this.run.context.container;
    const read = (path: string | undefined): string | undefined =>
      path === undefined ? undefined : files.readText(this.run.resolve(path));
    return new Promise((resolve, reject) => {
      const stream = tls.connect({
        socket: socket as Duplex,
        servername: literalAddress(servername) === undefined ? servername : '',
        rejectUnauthorized: !options.has('k'),
        ca: read(options.value('cacert')),
        cert: read(options.value('E')),
        key: read(options.value('key')),
        ALPNProtocols: ['http/1.1'],
      });
      const stop = (): void => {
        stream.destroy();
        reject(new CurlError(28, `SSL connection timeout`));
      };
      this.signal.addEventListener('abort', stop, { once: true });
      stream.once('secureConnect', () => {
        this.signal.removeEventListener('abort', stop);
        this.log(`* SSL connection using ${stream.getProtocol()} / ${stream.getCipher().name}`);
        resolve(stream);
      });
      stream.once('error', (error: Error & { code?: string }) => {
        this.signal.removeEventListener('abort', stop);
        const code = error.code ?? '';
        if (/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code))
          reject(new CurlError(60, `SSL certificate problem: ${error.message}`));
        else reject(new CurlError(35, `TLS connect error: ${error.message}`));
      });
    });
  }

  private exchange(request: TransferRequest, stream: Duplex): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { url, method, body } = request;
      const path = `${url.pathname}${url.search}`;
      this.log(`> ${method} ${path} HTTP/1.1`);
      for (const [name, value] of request.headers) this.log(`> ${name}: ${value}`);
      this.log('>');
      const outgoing = requestOver(stream, {
        method,
        path,
        headers: request.headers.flat(),
        setHost: false,
      });
      outgoing.shouldKeepAlive = true;
      const stop = (): void => {
        outgoing.destroy();
        reject(new CurlError(28, `Operation timed out after ${this.elapsed()} milliseconds with 0 bytes received`));
      };
      this.signal.addEventListener('abort', stop, { once: true });
      outgoing.once('response', (response) => {
        this.signal.removeEventListener('abort', stop);
        resolve(response);
      });
      outgoing.once('upgrade', (response, socket, head) => {
        if (head.length > 0) response.unshift(head);
        socket.on('data', (chunk: Uint8Array) => response.push(chunk));
        socket.on('end', () => response.push(null));
        resolve(response);
      });
      outgoing.once('error', (error: Error & { code?: string }) => {
        this.signal.removeEventListener('abort', stop);
        reject(this.sendError(error));
      });
      outgoing.end(body);
    });
  }

  private sendError(error: Error & { code?: string }): CurlError {
    if (error.message === 'socket hang up') return new CurlError(52, 'Empty reply from server');
    if (error.code === 'ECONNRESET') return new CurlError(56, 'Recv failure: Connection reset by peer');
    if (error.code?.startsWith('HPE_')) return new CurlError(1, 'Received HTTP/0.9 when not allowed');
    if (error.code === 'ETIMEDOUT') return new CurlError(56, 'Recv failure: Connection timed out');
    return new CurlError(56, `Recv failure: ${error.message}`);
  }

  private elapsed(): number {
    return Math.round(performance.now() - this.startedMs);
  }
}

export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : url.protocol === 'telnet:' ? 23 : 80;
}
