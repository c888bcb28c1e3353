import type { Host } from '../../shared/netstack/host.ts';
import type { TcpConnection } from '../../shared/netstack/tcp/connection.ts';
import { ByteStream } from './byte-stream.ts';

/** Two programs that each send a stream to the other over one connection, check what they get, and close. */
export interface Transfer {
  readonly client: TcpConnection;
  /** Both streams arrived, both ends are closed. */
  done(): boolean;
  /** Errors the two ends closed with. */
  readonly errors: (string | null)[];
}

export interface TransferOptions {
  readonly remoteAddress: number;
  readonly port: number;
  readonly upBytes: number;
  readonly downBytes: number;
  readonly seed: number;
}

export function startTransfer(client: Host, server: Host, options: TransferOptions): Transfer {
  const errors: (string | null)[] = [];
  const received = [new ByteStream(options.seed + 1, options.downBytes), new ByteStream(options.seed, options.upBytes)];
  const listener = server.tcp.listen({ address: options.remoteAddress, port: options.port });
  listener.onConnection = (connection) => {
    listener.close();
    play(connection, new ByteStream(options.seed + 1, options.downBytes), received[1]!, errors);
  };
  const connection = client.tcp.connect({ remoteAddress: options.remoteAddress, remotePort: options.port });
  play(connection, new ByteStream(options.seed, options.upBytes), received[0]!, errors);
  return {
    client: connection,
    errors,
    done: () => errors.length === 2,
  };
}

function play(connection: TcpConnection, up: ByteStream, down: ByteStream, errors: (string | null)[]): void {
  connection.onData = (bytes) => down.verify(bytes);
  connection.onEnd = () => {
    if (!down.done) throw new Error(`the stream ended at ${down.position} of ${down.totalBytes}`);
  };
  connection.onClose = (error) => errors.push(error);
  sendAll(connection, up);
}

/** Writes a stream whenever there is room, at most `chunkBytes` at a time, and ends behind it. */
export function sendAll(connection: TcpConnection, stream: ByteStream, chunkBytes = () => 16_384): void {
  const pump = (): void => {
    while (!stream.done) {
      const chunk = stream.peek(chunkBytes());
      const taken = connection.write(chunk);
      stream.advance(taken);
      if (taken < chunk.length) return;
    }
    connection.end();
  };
  connection.onEstablished = pump;
  connection.onWritable = pump;
  if (connection.state === 'ESTABLISHED') pump();
}
