/** The other reference of `npm run bench -- dns`: the kind of socket that CoreDNS has; port 0 where there is none. */
import { BatchedUdpSocket } from '../shared/native/batched-udp.ts';
import { loadNativeSockets, type NativeSockets } from '../shared/native/native-socket.ts';

function echo(sockets: NativeSockets): number {
  const socket = new BatchedUdpSocket(sockets, {
    bind: { address: '127.0.0.1', port: 0 },
    bufferBytes: 1024 * 1024,
    onMessage: (bytes, { port, address }) => socket.send(bytes, port, address),
    onError(error) {
      throw error;
    },
  });
  return socket.local.port;
}

const port = await loadNativeSockets().then(echo, (error: unknown) => {
  process.stderr.write(`dns: no echo in batches: ${String(error)}\n`);
  return 0;
});
process.send?.(port);
process.on('disconnect', () => process.exit(0));
