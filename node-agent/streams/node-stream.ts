/** The streams a node serves on the bus: what kubectl and `podwire node exec` ask of it. */
import type { Bus, BusSubscription } from '../../shared/bus/connection.ts';
import { type ChannelStream, serveStreams } from '../../shared/bus/stream.ts';
import { NODE_STREAM, type NodeStreamRequest } from '../../shared/bus/subjects.ts';
import type { ProcessStreams } from '../pods/container-runtime.ts';
import { type CaptureSource, serveCapture } from './capture-stream.ts';
import { runCommand, serveAttach, serveExec } from './exec-stream.ts';
import { type LogSource, serveLogs } from './log-stream.ts';
import { servePortForward } from './port-forward-stream.ts';

export interface NodeStreamSource extends LogSource, CaptureSource {
  /** Runs a command of the node itself in its root namespace. */
  readonly runNodeCommand: (
    command: readonly string[],
    streams: ProcessStreams,
    signal: AbortSignal,
  ) => Promise<number>;
}

export function serveNodeStreams(bus: Bus, node: string, source: NodeStreamSource): BusSubscription {
  return serveStreams(bus, NODE_STREAM, { node }, (request, stream) => dispatch(source, request, stream));
}

function dispatch(source: NodeStreamSource, request: NodeStreamRequest, stream: ChannelStream): void {
  switch (request.kind) {
    case 'exec':
      serveExec(source.pods, request, stream);
      return;
    case 'attach':
      serveAttach(source.pods, request, stream);
      return;
    case 'logs':
      serveLogs(source, request, stream);
      return;
    case 'port-forward':
      servePortForward(source.pods, request, stream);
      return;
    case 'capture':
      serveCapture(source, request, stream);
      return;
    case 'node-exec':
      void runCommand(stream, request, (streams, signal) => source.runNodeCommand(request.command, streams, signal));
      return;
  }
}
