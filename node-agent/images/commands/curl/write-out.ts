/** curl's `--write-out`: `%{http_code}` and its kin. */

export interface TransferReport {
  readonly url: string;
  readonly method: string;
  readonly httpCode: number;
  readonly httpVersion: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly downloadBytes: number;
  readonly uploadBytes: number;
  readonly headerBytes: number;
  readonly redirects: number;
  readonly connects: number;
  readonly redirectUrl: string;
  readonly outputName: string;
  readonly exitCode: number;
  readonly errorMessage: string;
  /** Milliseconds. */
  readonly times: {
    readonly nameLookup: number;
    readonly connect: number;
    readonly appConnect: number;
    readonly startTransfer: number;
    readonly total: number;
  };
}

export function formatWriteOut(format: string, report: TransferReport): string {
  const values = writeOutValues(report);
  return format
    .replace(/%\{(\w+)\}|%header\{([^}]+)\}|%%/g, (whole, name: string | undefined, header: string | undefined) => {
      if (whole === '%%') return '%';
      if (header !== undefined) return String(report.headers[header.toLowerCase()] ?? '');
      if (name === 'json') return JSON.stringify(values);
      return String(values[name ?? ''] ?? '');
    })
    .replace(/\\([nrt\\])/g, (_, letter: string) => ({ n: '\n', r: '\r', t: '\t', '\\': '\\' })[letter] ?? letter);
}

function writeOutValues(report: TransferReport): Record<string, string | number> {
  const seconds = (ms: number): string => (ms / 1000).toFixed(6);
  const code = String(report.httpCode).padStart(3, '0');
  const { times } = report;
  const totalSeconds = Math.max(times.total / 1000, 1e-6);
  const url = URL.canParse(report.url) ? new URL(report.url) : undefined;
  return {
    http_code: code,
    response_code: code,
    http_version: report.httpVersion,
    method: report.method,
    scheme: url?.protocol.replace(':', '') ?? '',
    url: report.url,
    url_effective: report.url,
    content_type: String(report.headers['content-type'] ?? ''),
    remote_ip: report.remoteAddress,
    remote_port: report.remotePort,
    local_ip: report.localAddress,
    local_port: report.localPort,
    num_connects: report.connects,
    num_redirects: report.redirects,
    redirect_url: report.redirectUrl,
    size_download: report.downloadBytes,
    size_upload: report.uploadBytes,
    size_header: report.headerBytes,
    speed_download: Math.round(report.downloadBytes / totalSeconds),
    speed_upload: Math.round(report.uploadBytes / totalSeconds),
    time_namelookup: seconds(times.nameLookup),
    time_connect: seconds(times.connect),
    time_appconnect: seconds(times.appConnect),
    time_pretransfer: seconds(Math.max(times.connect, times.appConnect)),
    time_starttransfer: seconds(times.startTransfer),
    time_redirect: seconds(0),
    time_total: seconds(times.total),
    filename_effective: report.outputName,
    exitcode: report.exitCode,
    errormsg: report.errorMessage,
    ssl_verify_result: 0,
  };
}
