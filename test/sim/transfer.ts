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
  const pump = (): void => {
    while (!up.done) {
      const chunk = up.peek(16_384);
      const taken = connection.write(chunk);
      up.advance(taken);
      if (taken < chunk.length) return;
    }
    connection.end();
  };
  connection.onEstablished = pump;
  connection.onWritable = pump;
  connection.onData = (bytes) => down.verify(bytes);
  connection.onEnd = () => {
    if (!down.done) throw new Error(`the stream ended at ${down.position} of ${down.totalBytes}`);
  };
  connection.onClose = (error) => errors.push(error);
  if (connection.state === 'ESTABLISHED') pump();
}
