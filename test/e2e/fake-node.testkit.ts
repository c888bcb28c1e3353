/** Stands in for a node-agent at the end of the byte streams: a few commands, a log, and ports that answer. */

import { ApiError } from '../../shared/api/status.ts';
import { type Bus, connectBus } from '../../shared/bus/connection.ts';
import { type ChannelStream, serveStreams } from '../../shared/bus/stream.ts';
import { NODE_STREAM, type NodeStreamRequest, STREAM_CHANNEL } from '../../shared/bus/subjects.ts';

const CLOSED_PORT = 81;

export async function startFakeNode(url: string, token: string, cluster: string, node: string): Promise<Bus> {
  const bus = await connectBus({ url, token, cluster, clientName: `fake ${node}` });
  serveStreams(bus, NODE_STREAM, { node }, (request, stream) => serve(request, stream));
  return bus;
}

function serve(request: NodeStreamRequest, stream: ChannelStream): void {
  switch (request.kind) {
    case 'exec':
      if (request.container === 'broken') throw new ApiError(400, 'BadRequest', 'container not found ("broken")');
      runCommand(request.command, request.tty, stream);
      break;
    case 'attach':
      runCommand(['cat'], request.tty, stream);
      break;
    case 'logs':
      void writeLog(stream, request.tailLines ?? 3);
      break;
    case 'port-forward':
      if (request.port === CLOSED_PORT) throw new Error('connection refused');
      forward(request.port, stream);
      break;
    default:
      throw new Error(`the fake node does not know ${request.kind}`);
  }
}

const text = (value: string) => Buffer.from(value);

function runCommand(command: readonly string[], tty: boolean, stream: ChannelStream): void {
  const { stdin, stdout, stderr, error, resize } = STREAM_CHANNEL;
  const exit = async (code: number) => {
    await stream.send(error, text(JSON.stringify(exitStatus(code))));
    stream.close();
  };
  const [program, ...rest] = command;
  if (program === 'cat') {
    stream.onData((channel, data) => {
      if (channel === resize)
        return stream.send(stdout, text(`resized ${Buffer.from(data).toString('utf8').trim()}\n`));
      // A terminal ends its input by Ctrl-D.
      if (tty && data.includes(4)) return exit(0);
      return stream.send(stdout, data);
    });
    stream.onEnd((channel) => {
      if (channel === stdin) void exit(0);
    });
  } else if (program === 'echo') {
    void stream.send(stdout, text(`${rest.join(' ')}\n`)).then(() => exit(0));
  } else if (program === 'big') {
    void stream.send(stdout, Buffer.alloc(Number(rest[0]), 'x')).then(() => exit(0));
  } else {
    void stream.send(stderr, text(`${program} failed\n`)).then(() => exit(7));
  }
}

function exitStatus(code: number): unknown {
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {} };
  if (code === 0) return { ...status, status: 'Success' };
  return {
    ...status,
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
    code: 500,
  };
}

async function writeLog(stream: ChannelStream, lines: number): Promise<void> {
  for (let i = 1; i <= lines; i++) await stream.send(STREAM_CHANNEL.stdout, text(`line ${i}\n`));
  stream.close();
}

/** Answers an HTTP request with the port and the request's first line. */
function forward(port: number, stream: ChannelStream): void {
  let request = '';
  stream.onData(async (_channel, data) => {
    request += Buffer.from(data).toString('utf8');
    if (!request.includes('\r\n\r\n')) return;
    const body = `port ${port}: ${request.split('\r\n')[0]}\n`;
    const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
    request = '';
    await stream.send(STREAM_CHANNEL.data, text(head + body));
    stream.end(STREAM_CHANNEL.data);
    stream.close();
  });
}
