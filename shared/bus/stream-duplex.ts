/** A connection on the `data` channel of a stream, as a Duplex that Node's HTTP and TLS take for a socket. */
import { Duplex } from 'node:stream';
import type { ChannelStream } from './stream.ts';
import { STREAM_CHANNEL } from './subjects.ts';

export function streamDuplex(stream: ChannelStream): Duplex {
  let resume: () => void = () => undefined;
  const duplex = new Duplex({
    allowHalfOpen: true,
    read: () => resume(),
    write: (chunk: Buffer, _encoding, done) => {
      stream.send(STREAM_CHANNEL.data, chunk).then(() => done(), done);
    },
    final: (done) => {
      stream.end(STREAM_CHANNEL.data);
      done();
    },
    destroy: (error, done) => {
      stream.close();
      done(error);
    },
  });
  stream.onData((channel, data) => {
    if (channel !== STREAM_CHANNEL.data || duplex.push(Buffer.from(data))) return undefined;
    return new Promise((resolve) => {
      resume = resolve;
    });
  });
  stream.onEnd((channel) => {
    if (channel === STREAM_CHANNEL.data) duplex.push(null);
  });
  void stream.closed.then((error) => {
    if (error !== undefined) duplex.destroy(error);
    else if (!duplex.readableEnded) duplex.push(null);
    resume();
  });
  return duplex;
}
