/**
 * exec and attach: the client's channels and the node's stream, joined
 * (Kubernetes' remote command protocol, versions 1 to 5).
 */
import { fieldAt } from '../../../shared/api/object.ts';
import { badRequest } from '../../../shared/api/status.ts';
import type { ChannelStream } from '../../../shared/bus/stream.ts';
import { type NodeStreamRequest, STREAM_CHANNEL } from '../../../shared/bus/subjects.ts';
import { isTrue } from '../http/request-info.ts';
import type { ClientChannels } from './client-channels.ts';
import { sendUnlessClosed, streamError } from './node-streams.ts';
import { containerOf, type PodTarget } from './pod-target.ts';

export interface CommandStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** Throws BadRequest when the request asks for no stream at all. */
export function commandStreams(query: URLSearchParams): CommandStreams {
  const tty = isTrue(query.get('tty'));
  const stdin = isTrue(query.get('stdin'));
  const stdout = isTrue(query.get('stdout'));
  // A terminal has one output; a client that asks for both still gets the one.
  const stderr = isTrue(query.get('stderr')) && !tty;
  if (!stdin && !stdout && !isTrue(query.get('stderr'))) {
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  }
  return { stdin, stdout, stderr, tty };
}

export function commandRequest(
  kind: 'exec' | 'attach',
  target: PodTarget,
  query: URLSearchParams,
  streams: CommandStreams,
): NodeStreamRequest {
  const { namespace, name: pod } = target;
  const container = containerOf(target, query.get('container') ?? undefined);
  if (kind === 'attach') return { kind, namespace, pod, container, ...streams };
  const command = query.getAll('command');
  if (command.length === 0) throw badRequest('you must specify at least one command for the container');
  return { kind, namespace, pod, container, command, ...streams };
}

/** Joins both ends until one of them closes. `structuredStatus`: from version 4 on, the outcome is a Status. */
export function joinCommand(
  client: ClientChannels,
  stream: ChannelStream,
  node: string,
  structuredStatus: boolean,
): Promise<void> {
  let outcome: Uint8Array | undefined;
  client.onData = async (channel, data) => void (await sendUnlessClosed(stream, channel, data));
  client.onEnd = (channel) => stream.end(channel);
  client.onClose = () => stream.close();
  client.start();
  stream.onData((channel, data) => {
    if (channel !== STREAM_CHANNEL.error) return client.send(channel, data);
    // Clients end their outputs with it, and output that still waits for its turn must come before.
    outcome = data;
    return undefined;
  });
  stream.onEnd((channel) => client.end(channel));
  return stream.closed.then(async (error) => {
    if (outcome === undefined && error !== undefined) {
      outcome = Buffer.from(JSON.stringify(streamError(error, node).toStatus()));
    }
    if (outcome !== undefined) await tellOutcome(client, outcome, structuredStatus);
    client.close();
  });
}

/** Older clients take a text, and no text for success. */
function tellOutcome(client: ClientChannels, status: Uint8Array, structured: boolean): void | Promise<void> {
  if (structured) return client.send(STREAM_CHANNEL.error, status);
  const parsed: unknown = JSON.parse(Buffer.from(status).toString('utf8'));
  if (fieldAt(parsed, 'status') === 'Success') return undefined;
  return client.send(STREAM_CHANNEL.error, Buffer.from(String(fieldAt(parsed, 'message'))));
}
