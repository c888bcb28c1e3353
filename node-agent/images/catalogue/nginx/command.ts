/** The `nginx` command: serves in the foreground, tests its configuration (-t), or signals the one that serves (-s). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseOptions } from '../../coreutils/options.ts';
import { formatDate } from '../../coreutils/system.ts';
import type { SignalName } from '../../process.ts';
import { type AccessEntry, whenAnswered } from '../access-log.ts';
import type { HttpListener } from '../http-listener.ts';
import { ListenError, type Service, serviceProgram } from '../service.ts';
import { listenHttps } from '../tls-service.ts';
import { ConfigurationError, parseConfiguration, readConfiguration } from './configuration.ts';
import { Exchange } from './exchange.ts';
import { handle } from './handler.ts';
import { NGINX_VERSION } from './page.ts';
import type { Scope } from './scope.ts';
import { chooseServer, compileSite, type Listen, type Site } from './virtual-server.ts';

const PID_FILE = '/run/nginx.pid';
/** nginx' own name for a client that left before its answer. */
const CLIENT_CLOSED_REQUEST = 499;
const SIGNALS: Readonly<Record<string, SignalName>> = {
  stop: 'SIGTERM',
  quit: 'SIGQUIT',
  reload: 'SIGHUP',
  reopen: 'SIGUSR1',
};
const GRACE_MS = 30_000;

export const nginx = serviceProgram(async (service) => {
  const options = parseOptions(service.context.argv.slice(1), { flags: 'tTvVqh?', values: 'gcsp' });
  const path = options.value('c') ?? '/etc/nginx/nginx.conf';
  if (options.has('v') || options.has('V')) {
    service.log(`nginx version: ${NGINX_VERSION}`);
    service.finish(0);
    return;
  }
  if (options.has('s')) {
    service.finish(sendSignal(service, options.value('s') ?? ''));
    return;
  }
  try {
    const site = readSite(service, path);
    if (options.has('t') || options.has('T')) {
      service.log(`nginx: configuration file ${path} test is successful`);
      service.finish(0);
      return;
    }
    parseConfiguration(options.value('g') ?? '', 'command line');
    await new Master(service, path).start(site);
  } catch (error) {
    if (!(error instanceof ConfigurationError || error instanceof ListenError)) throw error;
    service.log(`nginx: [emerg] ${error.message}`);
    if (options.has('t')) service.log(`nginx: configuration file ${path} test failed`);
    service.finish(1);
  }
});

function readSite(service: Service, path: string): Site {
  return compileSite(readConfiguration(service.context.container.files, path));
}

function sendSignal(service: Service, word: string): number {
  const { files, processes } = service.context.container;
  const signal = SIGNALS[word];
  if (signal === undefined) {
    service.log(`nginx: invalid option: "-s ${word}"`);
    return 1;
  }
  const process = files.exists(PID_FILE) ? processes.get(Number(files.readText(PID_FILE))) : undefined;
  if (process === undefined) {
    service.log(`nginx: [error] open() "${PID_FILE}" failed (2: No such file or directory)`);
    return 1;
  }
  process.deliver(signal);
  return 0;
}

/** The serving process: its listeners, and what signals do to them. */
class Master {
  private readonly service: Service;
  private readonly path: string;
  private site: Site | undefined;
  private readonly listeners = new Map<string, HttpListener>();
  private requests = 0;

  constructor(service: Service, path: string) {
    this.service = service;
    this.path = path;
  }

  async start(site: Site): Promise<void> {
    const { process, container } = this.service.context;
    this.notice(NGINX_VERSION);
    await this.apply(site);
    container.files.writeFile(PID_FILE, `${process.pid}\n`);
    this.notice('start worker processes');
    this.service.onSignals(['SIGTERM', 'SIGINT'], (signal) => {
      this.notice(`signal (${signal}) received, exiting`);
      this.service.finish(0);
    });
    this.service.onSignals(['SIGQUIT', 'SIGWINCH'], () => void this.shutDown());
    this.service.onSignals(['SIGHUP'], () => void this.reload());
    this.service.onSignals(['SIGUSR1'], () => this.notice('reopening logs'));
  }

  /** Opens what the site listens on and is not open, closes what it no longer names. */
  private async apply(site: Site): Promise<void> {
    this.site = site;
    const wanted = new Map<string, { readonly listen: Listen; readonly scope: Scope }>(
      site.servers.flatMap(({ listens, scope }) =>
        listens.map((listen) => [addressKey(listen), { listen, scope }] as const),
      ),
    );
    for (const [key, { listen, scope }] of wanted) {
      if (this.listeners.has(key)) continue;
      const certificate = scope.value('ssl_certificate');
      const privateKey = scope.value('ssl_certificate_key');
      if (listen.tls && (certificate === undefined || privateKey === undefined)) {
        throw new ConfigurationError(`no "ssl_certificate" is defined for the "listen ... ssl" of port ${listen.port}`);
      }
      this.listeners.set(key, await this.open(listen, certificate, privateKey));
    }
    for (const [key, listener] of this.listeners) {
      if (wanted.has(key)) continue;
      this.listeners.delete(key);
      await listener.close();
    }
  }

  private async open(listen: Listen, certificate?: string, key?: string): Promise<HttpListener> {
    const address = { host: listen.host, port: listen.port };
    const onRequest = (request: IncomingMessage, response: ServerResponse): Promise<void> =>
      this.answer(request, response, listen);
    if (!listen.tls || certificate === undefined || key === undefined) return this.service.http(address, onRequest);
    const { files } = this.service.context.container;
    return listenHttps(this.service, address, onRequest, {
      cert: files.readText(certificate),
      key: files.readText(key),
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse, listen: Listen): Promise<void> {
    const { site, service } = this;
    const server = site === undefined ? undefined : chooseServer(site.servers, listen.port, request.headers.host ?? '');
    if (site === undefined || server === undefined) {
      response.destroy();
      return;
    }
    const { container, signal } = service.context;
    const number = ++this.requests;
    const exchange = new Exchange(request, response, server, {
      hostname: container.hostname,
      scheme: listen.tls ? 'https' : 'http',
    });
    whenAnswered(request, response, (entry) => this.logAccess(site, exchange, entry), CLIENT_CLOSED_REQUEST);
    const logError = (message: string, { client }: Exchange): void => {
      const request_ = exchange.expand('$request');
      const host = exchange.header('host') ?? '';
      const name = server.names[0] ?? '';
      service.log(
        `${stamp()} [error] 29#29: *${number} ${message}, client: ${client}, server: ${name}, request: "${request_}", host: "${host}"`,
      );
    };
    await handle({ site, container, signal, logError }, exchange);
  }

  private logAccess(site: Site, exchange: Exchange, entry: AccessEntry): void {
    const [path = '', name = 'combined'] = exchange.server.scope.args('access_log') ?? [];
    if (path === 'off') return;
    const format = site.logFormats.get(name) ?? '';
    const dashed = { http_referer: entry.referer, http_user_agent: entry.userAgent };
    const forwarded = exchange.header('x-forwarded-for') ?? '-';
    this.service.print(
      exchange.expand(format, { ...dashed, http_x_forwarded_for: forwarded, ...exchange.logVariables(entry) }),
    );
  }

  /** SIGQUIT: no new connections, those under way may end. */
  private async shutDown(): Promise<void> {
    this.notice('gracefully shutting down');
    await Promise.all([...this.listeners.values()].map((listener) => listener.close(GRACE_MS)));
    this.service.finish(0);
  }

  private async reload(): Promise<void> {
    this.notice('reconfiguring');
    try {
      await this.apply(readSite(this.service, this.path));
    } catch (error) {
      // The old configuration goes on, as with nginx itself.
      if (!(error instanceof ConfigurationError || error instanceof ListenError)) throw error;
      this.service.log(`${stamp()} [emerg] 1#1: ${error.message}`);
    }
  }

  private notice(text: string): void {
    this.service.log(`${stamp()} [notice] 1#1: ${text}`);
  }
}

function addressKey({ host, port }: Listen): string {
  return `${host ?? '*'}:${port}`;
}

function stamp(): string {
  return formatDate(new Date(), '%Y/%m/%d %H:%M:%S');
}
