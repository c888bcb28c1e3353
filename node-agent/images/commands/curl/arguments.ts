/** curl's command line. */
import { type OptionSpec, type ParsedOptions, parseOptions, UsageError } from '../../coreutils/options.ts';

const SPEC: OptionSpec = {
  flags: 'sSfiIvkLgG4601NOqJ#ZnljBapMRt',
  values: 'owHXdFuAebcmTDxrzyYEKCPQ',
  long: {
    silent: 's',
    'show-error': 'S',
    fail: 'f',
    'fail-with-body': 'fail-with-body',
    include: 'i',
    'show-headers': 'i',
    head: 'I',
    verbose: 'v',
    insecure: 'k',
    location: 'L',
    'location-trusted': 'L',
    globoff: 'g',
    get: 'G',
    ipv4: '4',
    ipv6: '6',
    'http1.0': '0',
    'http1.1': 'http1.1',
    http2: 'http2',
    'http2-prior-knowledge': 'http2-prior-knowledge',
    'no-buffer': 'N',
    'no-progress-meter': 'no-progress-meter',
    'progress-bar': '#',
    'remote-name': 'O',
    'output=': 'o',
    'write-out=': 'w',
    'header=': 'H',
    'request=': 'X',
    'data=': 'd',
    'data-ascii=': 'd',
    'data-raw=': 'data-raw',
    'data-binary=': 'data-binary',
    'data-urlencode=': 'data-urlencode',
    'json=': 'json',
    'form=': 'F',
    'user=': 'u',
    'oauth2-bearer=': 'oauth2-bearer',
    'user-agent=': 'A',
    'referer=': 'e',
    'cookie=': 'b',
    'cookie-jar=': 'c',
    'max-time=': 'm',
    'connect-timeout=': 'connect-timeout',
    'upload-file=': 'T',
    'dump-header=': 'D',
    'interface=': 'interface',
    'local-port=': 'local-port',
    'resolve=': 'resolve',
    'connect-to=': 'connect-to',
    'dns-servers=': 'dns-servers',
    'retry=': 'retry',
    'retry-delay=': 'retry-delay',
    'retry-max-time=': 'retry-max-time',
    'retry-connrefused': 'retry-connrefused',
    'retry-all-errors': 'retry-all-errors',
    'max-redirs=': 'max-redirs',
    'cacert=': 'cacert',
    'capath=': 'capath',
    'cert=': 'E',
    'key=': 'key',
    'url=': 'url',
    'range=': 'r',
    'limit-rate=': 'limit-rate',
    'noproxy=': 'noproxy',
    'proxy=': 'x',
    'keepalive-time=': 'keepalive-time',
    'no-keepalive': 'no-keepalive',
    'tcp-nodelay': 'tcp-nodelay',
    compressed: 'compressed',
    'path-as-is': 'path-as-is',
    parallel: 'Z',
    'stderr=': 'stderr',
    version: 'version',
    'tlsv1.2': 'tlsv1.2',
    'tlsv1.3': 'tlsv1.3',
    'create-dirs': 'create-dirs',
    disable: 'q',
  },
};

export interface HostMapping {
  readonly host: string;
  readonly port: number;
  /** Addresses of `--resolve`; of `--connect-to`: one host, and a port. */
  readonly targets: readonly string[];
  readonly targetPort?: number;
}

export interface CurlArguments {
  readonly options: ParsedOptions;
  readonly urls: readonly string[];
  readonly resolve: readonly HostMapping[];
  readonly connectTo: readonly HostMapping[];
  /** Milliseconds; Infinity without a limit. */
  readonly maxTimeMs: number;
  readonly connectTimeoutMs: number;
}

/** Throws `UsageError` in curl's words. */
export function parseCurlArguments(args: readonly string[]): CurlArguments {
  const options = curlOptions(args);
  return {
    options,
    urls: [...options.values('url'), ...options.operands],
    resolve: options.values('resolve').map(parseResolve),
    connectTo: options.values('connect-to').map(parseConnectTo),
    maxTimeMs: seconds(options, 'm', '--max-time', Number.POSITIVE_INFINITY),
    connectTimeoutMs: seconds(options, 'connect-timeout', '--connect-timeout', 300_000),
  };
}

function curlOptions(args: readonly string[]): ParsedOptions {
  try {
    return parseOptions(args, SPEC);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const unknown = /unrecognized option:? '?(.*?)'?$/.exec(error.message)?.[1];
    if (unknown !== undefined)
      throw new UsageError(`option ${unknown.startsWith('-') ? unknown : `-${unknown}`}: is unknown`);
    const missing = /requires an argument: (.)|option '(.*)' requires/.exec(error.message);
    throw new UsageError(`option ${missing?.[2] ?? `-${missing?.[1]}`}: requires parameter`);
  }
}

function seconds(options: ParsedOptions, name: string, shown: string, standard: number): number {
  const text = options.value(name);
  if (text === undefined) return standard;
  const value = Number(text);
  if (Number.isNaN(value) || value < 0) throw new UsageError(`option ${shown}: expected a proper numerical parameter`);
  return value === 0 ? standard : value * 1000;
}

/** `[+]HOST:PORT:ADDRESS[,ADDRESS]...` */
function parseResolve(text: string): HostMapping {
  const [host = '', port = '', ...rest] = text.replace(/^\+/, '').split(':');
  return {
    host,
    port: Number(port),
    targets: rest
      .join(':')
      .split(',')
      .map((address) => address.replace(/^\[|\]$/g, '')),
  };
}

/** `HOST1:PORT1:HOST2:PORT2`, every part may be empty. */
function parseConnectTo(text: string): HostMapping {
  const [host = '', port = '', target = '', targetPort = ''] = text.split(':');
  return {
    host,
    port: Number(port || 0),
    targets: [target],
    targetPort: targetPort === '' ? undefined : Number(targetPort),
  };
}
