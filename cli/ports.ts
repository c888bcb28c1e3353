/** Which ports are free. What is free now may be taken later: whoever binds it for good says so in its own error. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { Claim } from './claims.ts';
import { systemErrorCode } from './user-error.ts';

export type BindOutcome = 'free' | 'taken' | 'no-such-address' | 'not-allowed';

function outcomeOf(error: unknown): BindOutcome {
  const code = systemErrorCode(error);
  if (code === 'EADDRINUSE') return 'taken';
  if (code === 'EADDRNOTAVAIL') return 'no-such-address';
  if (code === 'EACCES' || code === 'EPERM') return 'not-allowed';
  throw error;
}

export function tryTcpPort(port: number, host = '127.0.0.1'): Promise<BindOutcome> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => settle(() => outcomeOf(error), resolve, reject));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve('free')));
  });
}

export function tryUdpPort(port: number, host: string): Promise<BindOutcome> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', (error) => {
      socket.close();
      settle(() => outcomeOf(error), resolve, reject);
    });
    socket.bind({ port, address: host, exclusive: true }, () => socket.close(() => resolve('free')));
  });
}

function settle<T>(compute: () => T, resolve: (value: T) => void, reject: (error: unknown) => void): void {
  try {
    resolve(compute());
  } catch (error) {
    reject(error);
  }
}

const PORTS_TO_TRY = 200;

/** The first loopback TCP port at or above `first` that is free and not another cluster's; undefined when none of 200 is. */
export async function nextFreeTcpPort(first: number, claim: Claim): Promise<number | undefined> {
  for (let port = first; port < first + PORTS_TO_TRY; port++) {
    if ((await tryTcpPort(port)) === 'free' && claimTcpPort(port, claim)) return port;
  }
  return undefined;
}

export function claimTcpPort(port: number, claim: Claim): boolean {
  return claim(`tcp-${port}`);
}
