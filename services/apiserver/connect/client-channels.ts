/**
 * The client's end of an exec, attach or port-forward: numbered byte channels, whatever the dialect that carries them
 * (WebSocket `v5.channel.k8s.io` and older, SPDY/3.1).
 */
export interface ClientChannels {
  /** What a returned promise settles with holds back what the client sends next. */
  onData: (channel: number, data: Uint8Array) => void | Promise<void>;
  /** The client ends one channel; dialects without half-close never say so. */
  onEnd: (channel: number) => void;
  /** The client is gone. */
  onClose: () => void;
  /** Begins to deliver what the client sends; the callbacks are set by then. */
  start(): void;
  /** Resolves when the connection takes more. Nothing happens on a channel that the client did not open. */
  send(channel: number, data: Uint8Array): Promise<void>;
  end(channel: number): void;
  /** Closes the connection once everything sent has left. */
  close(): void;
}
