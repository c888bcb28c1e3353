/**
 * A client of one name server: so many questions in flight from one socket, each answered one followed by the next.
 * Told `{ port, names, seconds, inFlight }` over IPC it says a `LoadResult`, as often as it is told.
 */
import { createSocket } from 'node:dgram';
import dnsPacket from 'dns-packet';

export interface LoadOrder {
  readonly port: number;
  readonly names: readonly string[];
  readonly seconds: number;
  readonly inFlight: number;
}

export interface LoadResult {
  readonly answers: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Questions that were not answered within a second. */
  readonly lost: number;
  /** Answers of another code than NOERROR; an echo has none. */
  readonly failed: number;
}

const PATIENCE_MS = 1000;

process.on('message', (order: LoadOrder) => {
  load(order).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit(0));

function load({ port, names, seconds, inFlight }: LoadOrder): Promise<LoadResult> {
  const queries = names.map((name) =>
    dnsPacket.encode({ type: 'query', flags: dnsPacket.RECURSION_DESIRED, questions: [{ name, type: 'A' }] }),
  );
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
  const sentMs = new Float64Array(inFlight);
  const turn = new Uint16Array(inFlight);
  const latenciesMs: number[] = [];
  let next = 0;
  let lost = 0;
  let failed = 0;
  let over = false;
  // The identifier's lower byte is the place in flight, its upper one which question of that place.
  const send = (place: number): void => {
    const query = queries[next++ % queries.length] as Buffer;
    turn[place] = ((turn[place] as number) + 1) & 0xff;
    query[0] = turn[place] as number;
    query[1] = place;
    sentMs[place] = performance.now();
    socket.send(query);
  };
  socket.on('message', (answer) => {
    const place = answer[1] as number;
    if (over || answer[0] !== turn[place]) return;
    if (((answer[3] as number) & 15) !== 0) failed++;
    latenciesMs.push(performance.now() - (sentMs[place] as number));
    send(place);
  });
  const { promise, resolve } = Promise.withResolvers<LoadResult>();
  socket.connect(port, '127.0.0.1', () => {
    const beganMs = performance.now();
    for (let place = 0; place < inFlight; place++) send(place);
    const watch = setInterval(() => {
      const now = performance.now();
      for (let place = 0; place < inFlight; place++) {
        if (now - (sentMs[place] as number) < PATIENCE_MS) continue;
        lost++;
        send(place);
      }
    }, PATIENCE_MS);
    setTimeout(() => {
      over = true;
      clearInterval(watch);
      const tookSeconds = (performance.now() - beganMs) / 1000;
      socket.close();
      const sorted = Float64Array.from(latenciesMs).sort();
      const quantile = (share: number): number => (sorted[Math.floor(sorted.length * share)] ?? 0) * 1000;
      resolve({
        answers: sorted.length,
        perSecond: sorted.length / tookSeconds,
        p50Us: quantile(0.5),
        p99Us: quantile(0.99),
        lost,
        failed,
      });
    }, seconds * 1000);
  });
  return promise;
}
