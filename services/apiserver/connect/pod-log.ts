/** `pods/log`: a container's output as plain text, followed while the client listens (PodLogOptions). */
import { ApiError, badRequest, type FieldError, invalid } from '../../../shared/api/status.ts';
import { parseTimestamp } from '../../../shared/api/timestamp.ts';
import type { LogsStreamRequest } from '../../../shared/bus/subjects.ts';
import { isTrue } from '../http/request-info.ts';
import type { Reply } from '../http/response.ts';
import { integerOption } from '../registry/request-options.ts';
import { type StreamOpener, streamError } from './node-streams.ts';
import { containerOf, missingLogs, type PodTarget } from './pod-target.ts';

export async function serveLog(
  reply: Reply,
  target: PodTarget,
  query: URLSearchParams,
  open: StreamOpener,
): Promise<void> {
  const request = logRequest(target, query);
  const missing = missingLogs(target, request.container!, request.previous);
  if (missing !== undefined) throw badRequest(missing);
  const stream = await open(target.node, request);
  const { response } = reply;
  response.setHeader('Content-Type', 'text/plain');
  response.setHeader('Cache-Control', 'no-cache, private');
  response.writeHead(200);
  response.flushHeaders();
  response.on('close', () => stream.close());
  stream.onData((_channel, bytes) => write(reply, bytes));
  const error = await stream.closed;
  // Too late for a status code: the original tells it in the text as well.
  if (error !== undefined && !response.destroyed) response.write(`\n${streamError(error, target.node).message}\n`);
  response.end();
}

function write({ response }: Reply, bytes: Uint8Array): void | Promise<void> {
  if (response.destroyed || response.write(bytes)) return undefined;
  return new Promise((resolve) => {
    const settle = () => {
      response.off('drain', settle);
      response.off('close', settle);
      resolve();
    };
    response.on('drain', settle);
    response.on('close', settle);
  });
}

function logRequest(target: PodTarget, query: URLSearchParams): LogsStreamRequest {
  const problems: FieldError[] = [];
  const whole = (field: string, minimum: number) => {
    const value = integerOption(query, field);
    if (value !== undefined && value < minimum) {
      const message = `Invalid value: ${value}: must be greater than ${minimum === 0 ? 'or equal to 0' : '0'}`;
      problems.push({ field, reason: 'FieldValueInvalid', message });
    }
    return value;
  };
  const sinceTime = query.get('sinceTime') || undefined;
  const request: LogsStreamRequest = {
    kind: 'logs',
    namespace: target.namespace,
    pod: target.name,
    container: containerOf(target, query.get('container') ?? undefined),
    follow: isTrue(query.get('follow')),
    previous: isTrue(query.get('previous')),
    timestamps: isTrue(query.get('timestamps')),
    tailLines: whole('tailLines', 0),
    sinceSeconds: whole('sinceSeconds', 1),
    limitBytes: whole('limitBytes', 1),
    sinceTime,
  };
  if (sinceTime !== undefined && parseTimestamp(sinceTime) === undefined) {
    throw new ApiError(
      400,
      'BadRequest',
      `sinceTime: Invalid value: ${JSON.stringify(sinceTime)}: must be a time of RFC 3339`,
    );
  }
  if (sinceTime !== undefined && request.sinceSeconds !== undefined) {
    const message = 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified';
    problems.push({ field: 'sinceSeconds', reason: 'FieldValueForbidden', message });
  }
  if (problems.length > 0) throw invalid({ group: '', kind: 'PodLogOptions' }, '', problems);
  return request;
}
