import { describe, expect, test } from 'vitest';
import { ip, TestNetwork } from '../network.testkit.ts';
import type { TcpConnection } from './connection.ts';

const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('a connection', () => {
  test('opens, carries data both ways, and closes in order', () => {
    const { net, a, b } = TestNetwork.pair();
    const log: string[] = [];
    const listener = b.tcp.listen({ port: 80 });
    listener.onConnection = (server) => {
      log.push(`accepted from port ${server.remotePort === client.localPort}`);
      server.onData = (data) => {
        log.push(`server got ${text(data)}`);
        server.write(bytes('world'));
      };
      server.onEnd = () => {
        log.push('server end');
        server.end();
      };
      server.onClose = (error) => log.push(`server closed ${error}`);
    };
    const client = a.tcp.connect({ remoteAddress: ip('10.0.0.2'), remotePort: 80 });
    client.onEstablished = () => {
      log.push('client established');
      client.write(bytes('hello'));
    };
    client.onData = (data) => {
      log.push(`client got ${text(data)}`);
      client.end();
    };
    client.onEnd = () => log.push('client end');
    client.onClose = (error) => log.push(`client closed ${error}`);
    net.settle();
    expect(log).toEqual([
      'client established',
      'accepted from port true',
      'server got hello',
      'client got world',
      'server end',
      'client end',
      'client closed null',
      'server closed null',
    ]);
    expect(net.memory.inUse).toBe(0);
    expect(a.tcp.list().map((endpoint) => endpoint.state)).toEqual(['TIME-WAIT']);
    expect(b.tcp.list()).toEqual([]);
    net.advance(61_000_000);
    expect(a.tcp.list()).toEqual([]);
  });

  test('to a port without a listener is refused', () => {
    const { net, a } = TestNetwork.pair();
    const client = a.tcp.connect({ remoteAddress: ip('10.0.0.2'), remotePort: 80 });
    let closed: string | null | undefined;
    client.onClose = (error) => {
      closed = error;
    };
    net.settle();
    expect(closed).toBe('ECONNREFUSED');
  });

  test('moves a megabyte', () => {
    const { net, a, b } = TestNetwork.pair();
    let received = 0;
    b.tcp.listen({ port: 80 }).onConnection = (server: TcpConnection) => {
      server.onData = (data) => {
        received += data.length;
      };
    };
    const client = a.tcp.connect({ remoteAddress: ip('10.0.0.2'), remotePort: 80 });
    const data = new Uint8Array(1_000_000);
    expect(client.write(data)).toBe(1_000_000);
    net.settle();
    net.advance(1_000_000);
    expect(received).toBe(1_000_000);
    expect(client.counters.retransmits).toBe(0);
    expect(net.memory.inUse).toBe(0);
  });
});
