/** Opens byte streams to node-agents, with failures as the API tells them. */
import { ApiError, internalError } from '../../../shared/api/status.ts';
import { BusTimeoutError, BusUnavailableError, RemoteError } from '../../../shared/bus/bus-error.ts';
import type { Bus } from '../../../shared/bus/connection.ts';
import { NODE_KUBELET } from '../../../shared/bus/connection-subjects.ts';
import { type ChannelStream, openStream } from '../../../shared/bus/stream.ts';
import { NODE_STREAM, type NodeStreamRequest } from '../../../shared/bus/subjects.ts';

/** A connection to the kubelet's own HTTP endpoints. */
export interface KubeletRequest {
  readonly kind: 'kubelet';
}

/** Opens a stream to a node; a fake stands in for it in tests. */
export type StreamOpener = (node: string, request: NodeStreamRequest | KubeletRequest) => Promise<ChannelStream>;

export function nodeStreamOpener(bus: Bus): StreamOpener {
  return async (node, request) => {
    try {
      if (request.kind === 'kubelet') return await openStream(bus, NODE_KUBELET, { node }, {});
      return await openStream(bus, NODE_STREAM, { node }, request);
    } catch (error) {
      throw streamError(error, node);
    }
  };
}

/** What a stream ended with, or could not be opened for. */
export function streamError(error: unknown, node: string): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof RemoteError) return error.status ?? internalError(error.message);
  if (error instanceof BusUnavailableError || error instanceof BusTimeoutError) {
    return internalError(`error dialing backend: node ${node} does not answer (${error.message})`);
  }
  return internalError(error instanceof Error ? error.message : String(error));
}

/**
 * Sends what the client sent; false when the stream has closed meanwhile. Why it did is told by `closed`, and what was under
 * way then is lost, as on any connection.
 */
export function sendUnlessClosed(stream: ChannelStream, channel: number, data: Uint8Array): Promise<boolean> {
  return stream.send(channel, data).then(
    () => true,
    () => false,
  );
}
