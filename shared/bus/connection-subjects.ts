/** Whole connections of the emulated cluster that go over the bus: one a stream, on the channel `data` both ways. */
import { streamSubject } from './subjects.ts';

/** HTTP with the node's kubelet. */
export const NODE_KUBELET = streamSubject<Record<string, never>>('node.{node}.kubelet', () => ({}));

/** A pod's with the API server `address:port`, TLS and all. */
export const API_CONNECTION = streamSubject<Record<string, never>>('apiserver.{server}.connection', () => ({}));
