/** `kubectl port-forward`, the node's end: one connection to a port of the pod, made inside the pod. */
import { badRequest } from '../../shared/api/status.ts';
import type { ChannelStream } from '../../shared/bus/stream.ts';
import { type PortForwardStreamRequest, STREAM_CHANNEL } from '../../shared/bus/subjects.ts';
import type { PodNetwork, PodTcpSocket } from '../../shared/podnet/pod-network.ts';
import type { PodManager } from '../pods/pod-manager.ts';
import { findPod } from './container-target.ts';

const CONNECT_LIMIT_MS = 10_000;

/** Throws ApiError when the pod is not on this node or does not run. */
export function servePortForward(pods: PodManager, request: PortForwardStreamRequest, stream: ChannelStream): void {
  const sandbox = findPod(pods, request.namespace, request.pod).sandbox;
  if (sandbox === undefined) throw badRequest(`unable to forward port because pod ${request.pod} is not running`);
  void forward(sandbox.network, request, stream);
}

async function forward(network: PodNetwork, request: PortForwardStreamRequest, stream: ChannelStream): Promise<void> {
  let socket: PodTcpSocket;
  try {
    const target = { host: '127.0.0.1', port: request.port, allowHalfOpen: true };
    socket = await network.connectTcp(target, AbortSignal.timeout(CONNECT_LIMIT_MS));
  } catch (error) {
    await reportFailure(stream, request, error);
    return;
  }
  stream.onData((_channel, data) => written(socket, data));
  stream.onEnd(() => socket.end());
  void stream.closed.then((error) => (error === undefined ? socket.end() : socket.destroy()));
  try {
    for await (const chunk of socket) await stream.send(STREAM_CHANNEL.data, chunk);
    stream.close();
  } catch (error) {
    // One of the two ends broke; the other learns it here.
    socket.destroy();
    stream.close(error instanceof Error ? error : new Error(String(error)));
  }
}

function written(socket: PodTcpSocket, data: Uint8Array): Promise<void> | undefined {
  if (socket.destroyed || socket.writableEnded || socket.write(data)) return undefined;
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}

async function reportFailure(stream: ChannelStream, request: PortForwardStreamRequest, error: unknown): Promise<void> {
  const cause = error instanceof Error ? error.message : String(error);
  const text =
    `error forwarding port ${request.port} to pod ${request.pod}: ` +
    `failed to connect to localhost:${request.port} inside the pod: ${cause}`;
  try {
    await stream.send(STREAM_CHANNEL.error, new TextEncoder().encode(text));
    stream.close();
  } catch (closed) {
    stream.close(closed instanceof Error ? closed : new Error(String(closed)));
  }
}
