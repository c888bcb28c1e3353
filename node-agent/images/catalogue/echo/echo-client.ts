/** `client URL --method=GET -H 'name: value' --count=N`: asks an echo server and prints `[0 body] Name=value` lines. */
import { parseOptions, UsageError } from '../../coreutils/options.ts';
import type { Program, ProgramContext } from '../../image.ts';
import { write } from '../../program-io.ts';
import { parseGoDuration } from '../go-flags.ts';
import { goNetworkError } from '../go-network-error.ts';
import { exchange, type HttpAnswer } from '../http-exchange.ts';
import { canonicalName } from '../http-headers.ts';

interface Errand {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly count: number;
  readonly timeoutMs: number;
}

export const echoClient: Program = async (context) => {
  try {
    const errand = parseErrand(context.argv.slice(1));
    for (let index = 0; index < errand.count; index++) await askOnce(context, errand, index);
    return 0;
  } catch (error) {
    await write(context.stderr, `Error: ${goNetworkError(error, 'dial tcp', '')}\n`);
    return 1;
  }
};

function parseErrand(args: readonly string[]): Errand {
  const options = parseOptions(args, {
    values: 'H',
    long: {
      'method=': 'method',
      'count=': 'count',
      'header=': 'H',
      'timeout=': 'timeout',
      'qps=': 'qps',
      'msg=': 'msg',
    },
  });
  const [target] = options.operands;
  if (target === undefined || !URL.canParse(target)) throw new UsageError(`"${target ?? ''}" is not a URL`);
  const headers = options.values('H').map((header) => {
    const [name = '', value = ''] = header.split(/:\s*(.*)/s);
    return [name, value] as const;
  });
  return {
    url: new URL(target),
    method: options.value('method') ?? 'GET',
    headers: Object.fromEntries(headers),
    count: options.number('count') ?? 1,
    timeoutMs: parseGoDuration(options.value('timeout') ?? '30s') ?? 30_000,
  };
}

async function askOnce(context: ProgramContext, errand: Errand, index: number): Promise<void> {
  const { container, signal, stdout } = context;
  const { url, method, headers, timeoutMs } = errand;
  const startedMs = performance.now();
  const answer = await exchange({ container, url, method, headers, timeoutMs, signal });
  await write(stdout, report(errand, answer, performance.now() - startedMs, index));
}

function report({ url, method, headers }: Errand, answer: HttpAnswer, latencyMs: number, index: number): string {
  const line = (text: string): string => `[${index}] ${text}`;
  const body = answer.body
    .toString()
    .split('\n')
    .filter((text) => text !== '');
  return [
    line(`Url=${url.href}`),
    line(`Echo=`),
    ...Object.entries(headers).map(([name, value]) => line(`Header=${canonicalName(name)}:${value}`)),
    line(`Latency=${latencyMs.toFixed(3)}ms`),
    line('ActiveRequests=0'),
    line(`Method=${method}`),
    line(`Proto=HTTP/${answer.httpVersion}`),
    line(`StatusCode=${answer.status}`),
    ...Object.entries(answer.headers).map(([name, value]) =>
      line(`ResponseHeader=${canonicalName(name)}:${String(value)}`),
    ),
    ...body.map((text) => `[${index} body] ${text}`),
    '',
    '',
  ].join('\n');
}
