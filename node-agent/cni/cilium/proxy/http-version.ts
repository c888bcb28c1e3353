/** Which HTTP a connection speaks: HTTP/2 begins with words that no request of HTTP/1.1 has (RFC 9113 section 3.4). */
import type { PodTcpSocket } from '../../../../shared/podnet/pod-network.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Undefined for one that ended before it said. What was read of it is there to be read again. */
export function httpVersionOf(socket: PodTcpSocket): Promise<1 | 2 | undefined> {
  return new Promise((resolve) => {
    let heard = Buffer.alloc(0);
    const ended = (): void => tell(undefined);
    const look = (): void => {
      for (let piece = socket.read(); piece !== null; piece = socket.read()) heard = Buffer.concat([heard, piece]);
      const { length } = heard.subarray(0, PREFACE.length);
      if (!heard.subarray(0, length).equals(PREFACE.subarray(0, length))) tell(1);
      else if (length === PREFACE.length) tell(2);
    };
    const tell = (version: 1 | 2 | undefined): void => {
      socket.off('readable', look).off('end', ended).off('close', ended);
      if (version !== undefined) socket.unshift(heard);
      resolve(version);
    };
    socket.on('readable', look).on('end', ended).on('close', ended);
  });
}
