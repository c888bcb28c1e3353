/**
 * The kernel's end of a transfer, for a plain Node in a network namespace: `byte-exchange.mjs PORT BYTES`. A connection that
 * says `send` is sent so many random bytes and their SHA-256; one that says `take` sends the same and hears what came.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:net';

const DIGEST_BYTES = 32;
const [port, bytes] = process.argv.slice(2).map(Number);

function send(socket) {
  const hash = createHash('sha256');
  let left = bytes;
  const more = () => {
    while (left > 0) {
      const chunk = randomBytes(Math.min(left, 65_536));
      hash.update(chunk);
      left -= chunk.length;
      if (!socket.write(chunk)) return;
    }
    socket.off('drain', more);
    socket.end(hash.digest());
  };
  socket.on('drain', more);
  more();
}

function take(socket, first) {
  const hash = createHash('sha256');
  let left = bytes;
  let claimed = Buffer.alloc(0);
  const data = (chunk) => {
    const body = chunk.subarray(0, left);
    hash.update(body);
    left -= body.length;
    claimed = Buffer.concat([claimed, chunk.subarray(body.length)]);
    if (claimed.length < DIGEST_BYTES) return;
    socket.end(`${hash.digest().equals(claimed) ? 'identical' : 'different'} ${bytes - left}`);
  };
  socket.on('data', data);
  if (first.length > 0) data(first);
}

const server = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', (error) => console.error(error.message));
  socket.once('data', (wish) => {
    const rest = wish.subarray(4);
    if (wish.subarray(0, 4).toString() === 'send') send(socket);
    else take(socket, rest);
  });
});
server.listen(port, () => console.log('listening'));
