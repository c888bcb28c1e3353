/** curl: HTTP over the pod's network, with the original's options, messages and exit codes. */
import { UsageError } from '../../coreutils/options.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { FileError } from '../../files/file-error.ts';
import type { OpenFile } from '../../open-file.ts';
import { writerFile } from '../../open-file.ts';
import { BrokenPipeError, nextChunk, pause, write } from '../../program-io.ts';
import { type CurlArguments, parseCurlArguments } from './arguments.ts';
import { RequestBuilder, redirected, VERSION } from './request.ts';
import { CurlError, portOf, type Transfer, type TransferRequest, TransferRunner } from './transfer.ts';
import { formatWriteOut, type TransferReport } from './write-out.ts';

const USAGE_STATUS = 2;

export const curl: Utility = async (run) => {
  let args: CurlArguments;
  try {
    args = parseCurlArguments(run.args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    await write(
      run.context.stderr,
      `curl: ${error.message}\ncurl: try 'curl --help' or 'curl --manual' for more information\n`,
    );
    return USAGE_STATUS;
  }
  if (args.options.has('version')) {
    await run.print(`curl ${VERSION} (x86_64-pc-linux-gnu) libcurl/${VERSION}\nProtocols: http https telnet\n`);
    return 0;
  }
  if (args.urls.length === 0) {
    await write(
      run.context.stderr,
      "curl: (2) no URL specified\ncurl: try 'curl --help' or 'curl --manual' for more information\n",
    );
    return USAGE_STATUS;
  }
  let code = 0;
  for (const [index, url] of args.urls.entries()) code = await new CurlTransfer(run, args, url, index).runWithRetries();
  return code;
};

class CurlTransfer {
  private readonly run: Invocation;
  private readonly args: CurlArguments;
  private readonly given: string;
  private readonly index: number;
  private downloadBytes = 0;
  private uploadBytes = 0;
  private headerBytes = 0;
  private startedMs = 0;
  private transfer: Transfer | undefined;
  private request: TransferRequest | undefined;
  private redirects = 0;
  private connects = 0;

  constructor(run: Invocation, args: CurlArguments, url: string, index: number) {
    this.run = run;
    this.args = args;
    this.given = url;
    this.index = index;
  }

  async runWithRetries(): Promise<number> {
    const { options } = this.args;
    const retries = Number(options.value('retry') ?? 0);
    for (let attempt = 0; ; attempt++) {
      const { failure, transient, message } = await this.attempt();
      if (!transient || attempt >= retries || this.run.context.signal.aborted) return this.finish(failure);
      const delaySeconds = Number(options.value('retry-delay') ?? 0) || Math.min(600, 2 ** attempt);
      await this.tell(
        `Warning: Problem: ${message}. Will retry in ${delaySeconds} second${delaySeconds === 1 ? '' : 's'}. ${retries - attempt} retr${retries - attempt === 1 ? 'y' : 'ies'} left.`,
      );
      await pause(delaySeconds * 1000, this.run.context.signal);
    }
  }

  /** What only the last attempt says: its error, and what `--write-out` asks for. */
  private async finish(failure: CurlError | undefined): Promise<number> {
    const { options } = this.args;
    if (failure !== undefined && !(options.has('s') && !options.has('S')))
      await write(this.run.context.stderr, `curl: (${failure.code}) ${failure.message}\n`);
    const format = options.value('w');
    if (format !== undefined) await this.writeOut(format, failure);
    return failure?.code ?? 0;
  }

  private async attempt(): Promise<{ failure: CurlError | undefined; transient: boolean; message: string }> {
    const { options } = this.args;
    this.startedMs = performance.now();
    this.downloadBytes = 0;
    let failure: CurlError | undefined;
    try {
      await this.perform();
    } catch (error) {
      if (error instanceof BrokenPipeError) failure = new CurlError(23, 'Failure writing output to destination');
      else if (error instanceof CurlError) failure = error;
      else throw error;
    }
    const status = this.transfer?.response.statusCode ?? 0;
    const refused = failure?.code === 7 && options.has('retry-connrefused');
    const anyError = options.has('retry-all-errors') && failure !== undefined;
    const transient =
      refused ||
      anyError ||
      failure?.code === 28 ||
      failure?.code === 6 ||
      [408, 429, 500, 502, 503, 504].includes(status);
    return {
      failure,
      transient,
      message: failure?.code === 28 ? 'timeout' : failure?.code === 7 ? 'connection refused' : 'HTTP error',
    };
  }

  private async perform(): Promise<void> {
    const { options, maxTimeMs } = this.args;
    const limit = maxTimeMs === Number.POSITIVE_INFINITY ? undefined : AbortSignal.timeout(maxTimeMs);
    const signal = limit === undefined ? this.run.context.signal : AbortSignal.any([limit, this.run.context.signal]);
    const runner = new TransferRunner(this.run, this.args, (line) => this.verbose(line), signal, this.startedMs);
    let url = this.parseUrl(this.given);
    if (url.protocol === 'telnet:') {
      await this.telnet(runner, url);
      return;
    }
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw new CurlError(1, `Protocol "${url.protocol.replace(':', '')}" not supported`);
    let request = await new RequestBuilder(this.run, options).build(url);
    for (;;) {
      this.request = request;
      this.connects += 1;
      this.transfer = await runner.perform(request);
      this.uploadBytes += request.body?.length ?? 0;
      const { response } = this.transfer;
      const location = response.headers.location;
      const code = response.statusCode ?? 0;
      if (!options.has('L') || location === undefined || code < 300 || code >= 400) break;
      if (this.redirects >= Number(options.value('max-redirs') ?? 50))
        throw new CurlError(47, `Maximum (${options.value('max-redirs') ?? 50}) redirects followed`);
      this.redirects += 1;
      const headers = this.responseHead();
      if (options.has('i') || options.has('I')) await this.deliver(headers);
      response.resume();
      this.transfer.socket.destroy();
      url = new URL(location, url);
      request = redirected(request, url, code, options.has('X'));
    }
    await this.receive(signal);
  }

  private parseUrl(text: string): URL {
    const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
    if (!URL.canParse(withScheme))
      throw new CurlError(
        3,
        /\s/.test(text) ? 'URL rejected: Malformed input to a URL function' : 'URL rejected: Bad hostname',
      );
    return new URL(withScheme);
  }

  private responseHead(): string {
    const { response } = this.transfer ?? {};
    if (response === undefined) return '';
    const lines = [`HTTP/${response.httpVersion} ${response.statusCode} ${response.statusMessage}`];
    for (let index = 0; index < response.rawHeaders.length; index += 2)
      lines.push(`${response.rawHeaders[index]}: ${response.rawHeaders[index + 1]}`);
    return `${lines.join('\r\n')}\r\n\r\n`;
  }

  private async receive(signal: AbortSignal): Promise<void> {
    const { options } = this.args;
    const { transfer } = this;
    if (transfer === undefined) return;
    const { response, socket } = transfer;
    const head = this.responseHead();
    this.headerBytes += head.length;
    for (const line of head.split('\r\n').slice(0, -1)) this.verbose(`< ${line}`);
    const dump = options.value('D');
    if (dump !== undefined) {
      const file = this.run.openFile(dump === '-' ? '/dev/stdout' : dump, 'write');
      await write(file.writer(), head);
      file.release();
    }
    const failing = (response.statusCode ?? 0) >= 400;
    if (failing && options.has('f')) {
      socket.destroy();
      throw new CurlError(22, `The requested URL returned error: ${response.statusCode}`);
    }
    const output = this.openOutput();
    try {
      if (options.has('i') || options.has('I')) await write(output.writer(), head);
      await this.copyBody(signal, output);
    } finally {
      output.release();
      socket.destroy();
    }
    if (failing && options.has('fail-with-body'))
      throw new CurlError(22, `The requested URL returned error: ${response.statusCode}`);
    await this.progressMeter();
  }

  private async copyBody(signal: AbortSignal, output: OpenFile): Promise<void> {
    const response = this.transfer?.response;
    if (response === undefined || this.request?.method === 'HEAD') return;
    let problem: Error | undefined;
    response.on('error', (error) => {
      problem = error;
    });
    for (;;) {
      const chunk = await nextChunk(response, signal);
      if (chunk === undefined) break;
      this.downloadBytes += chunk.length;
      await write(output.writer(), chunk);
    }
    if (response.complete) return;
    const elapsed = Math.round(performance.now() - this.startedMs);
    const expected = response.headers['content-length'];
    if (signal.aborted)
      throw new CurlError(
        28,
        `Operation timed out after ${elapsed} milliseconds with ${this.downloadBytes}${expected === undefined ? '' : ` out of ${expected}`} bytes received`,
      );
    if (problem !== undefined && 'code' in problem && problem.code === 'ECONNRESET' && expected === undefined)
      throw new CurlError(56, 'Recv failure: Connection reset by peer');
    throw new CurlError(
      18,
      expected === undefined
        ? 'transfer closed with outstanding read data remaining'
        : `end of response with ${Number(expected) - this.downloadBytes} bytes missing`,
    );
  }

  private openOutput(): OpenFile {
    const path = this.outputPath();
    if (path === undefined) return writerFile(this.run.context.stdout);
    try {
      return this.run.openFile(path, 'write');
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      throw new CurlError(23, `Failure writing output to destination, passed 0 returned 4294967295`);
    }
  }

  private outputPath(): string | undefined {
    const { options } = this.args;
    const named = options.values('o')[this.index] ?? (this.args.urls.length === 1 ? options.value('o') : undefined);
    if (named !== undefined) return named === '-' ? undefined : named;
    return options.has('O') ? this.request?.url.pathname.split('/').at(-1) || 'curl_response' : undefined;
  }

  private async deliver(text: string): Promise<void> {
    await write(this.run.context.stdout, text);
  }

  /** The meter's last state; only when the body does not go to a terminal. */
  private async progressMeter(): Promise<void> {
    const { options } = this.args;
    const toTerminal = this.outputPath() === undefined && this.run.context.standardFiles.stdout.isTerminal;
    if (options.has('s') || options.has('no-progress-meter') || toTerminal) return;
    const size = String(this.downloadBytes).padStart(5);
    const speed = String(
      Math.round(this.downloadBytes / Math.max(0.001, (performance.now() - this.startedMs) / 1000)),
    ).padStart(6);
    await write(
      this.run.context.stderr,
      `  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n                                 Dload  Upload   Total   Spent    Left  Speed\n\r100 ${size}  100 ${size}    0     0 ${speed}      0 --:--:-- --:--:-- --:--:-- ${speed}\n`,
    );
  }

  private async writeOut(format: string, failure: CurlError | undefined): Promise<void> {
    const template = format.startsWith('@')
      ? this.run.context.container.files.readText(this.run.resolve(format.slice(1)))
      : format;
    await write(this.run.context.stdout, formatWriteOut(template, this.report(failure)));
  }

  private report(failure: CurlError | undefined): TransferReport {
    const { transfer, request } = this;
    const location = transfer?.response.headers.location;
    return {
      url: request?.url.href ?? this.given,
      method: request?.method ?? 'GET',
      httpCode: transfer?.response.statusCode ?? 0,
      httpVersion: transfer?.response.httpVersion ?? '0',
      headers: transfer?.response.headers ?? {},
      remoteAddress: transfer?.socket.remoteAddress ?? '',
      remotePort: transfer?.socket.remotePort ?? 0,
      localAddress: transfer?.socket.localAddress ?? '',
      localPort: transfer?.socket.localPort ?? 0,
      downloadBytes: this.downloadBytes,
      uploadBytes: this.uploadBytes,
      headerBytes: this.headerBytes,
      redirects: this.redirects,
      connects: transfer === undefined ? 0 : this.connects,
      redirectUrl: location === undefined || request === undefined ? '' : new URL(location, request.url).href,
      outputName: this.outputPath() ?? '',
      exitCode: failure?.code ?? 0,
      errorMessage: failure?.message ?? '',
      times: {
        nameLookup: transfer?.times.nameLookup ?? 0,
        connect: transfer?.times.connect ?? 0,
        appConnect: transfer?.times.appConnect ?? 0,
        startTransfer: transfer?.times.startTransfer ?? 0,
        total: performance.now() - this.startedMs,
      },
    };
  }

  private async telnet(runner: TransferRunner, url: URL): Promise<void> {
    const { host, addresses } = await runner.resolve(url);
    const socket = await runner.connect(host, portOf(url), addresses, this.startedMs);
    const { context } = this.run;
    const forward = (async () => {
      for (
        let chunk = await nextChunk(context.stdin, context.signal);
        chunk !== undefined;
        chunk = await nextChunk(context.stdin, context.signal)
      )
        await write(socket, chunk);
      socket.end();
    })();
    for (
      let chunk = await nextChunk(socket, context.signal);
      chunk !== undefined;
      chunk = await nextChunk(socket, context.signal)
    )
      await this.run.print(chunk);
    socket.destroy();
    await Promise.race([forward, Promise.resolve()]);
  }

  private verbose(line: string): void {
    if (this.args.options.has('v') && !this.run.context.stderr.destroyed) this.run.context.stderr.write(`${line}\n`);
  }

  private async tell(line: string): Promise<void> {
    if (!this.args.options.has('s')) await write(this.run.context.stderr, `${line}\n`);
  }
}
