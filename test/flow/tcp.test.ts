/** TCP through a Service: handshake, data both ways, close and refusal, with what conntrack makes of it. */
import { describe, expect, it } from 'vitest';
import { connectionRows } from '../../node-agent/datapath/show/conntrack.ts';
import type { Host } from '../../shared/netstack/host.ts';
import { ip, TestCluster } from './cluster.testkit.ts';

const SECOND_US = 1_000_000;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Answers each piece it is sent in capitals, and closes when the client does. */
function shoutingServer(host: Host, port: number): void {
  host.tcp.listen({ port }).onConnection = (connection) => {
    connection.onData = (bytes) => connection.write(new TextEncoder().encode(text(bytes).toUpperCase()));
    connection.onEnd = () => connection.end();
  };
}

function dial(cluster: TestCluster, host: Host, address: string, port: number) {
  const log: string[] = [];
  const connection = host.tcp.connect({ remoteAddress: ip(address), remotePort: port });
  connection.onEstablished = () => log.push('established');
  connection.onData = (bytes) => log.push(text(bytes));
  connection.onEnd = () => log.push('end');
  connection.onClose = (error) => log.push(`closed ${error}`);
  cluster.settle();
  return { connection, log };
}

function cluster(backends: string[]) {
  const made = new TestCluster();
  const client = made.pod('10.244.1.5').host;
  for (const address of ['10.244.1.6', '10.244.2.7']) shoutingServer(made.pod(address).host, 8080);
  made.services({ name: 'web', protocol: 'tcp', clusterIp: '10.96.12.3', port: 80, nodePort: 30080, backends });
  return { made, client };
}

describe('TCP through a Service', () => {
  it.each([
    ['with its backend on this node', '10.244.1.6'],
    ['with its backend on another node', '10.244.2.7'],
  ])('%s', (_, backend) => {
    const { made, client } = cluster([`${backend}:8080`]);
    const { connection, log } = dial(made, client, '10.96.12.3', 80);
    connection.write(new TextEncoder().encode('hello'));
    made.advance(SECOND_US);
    const state = () => connectionRows(made.node(1).conntrack, made.engine.nowUs).map((row) => row.state);
    expect(log, made.journey()).toEqual(['established', 'HELLO']);
    expect(state()).toEqual(['ESTABLISHED']);
    connection.end();
    made.advance(SECOND_US);
    expect(log.slice(2), made.journey()).toEqual(['end', 'closed null']);
    expect(state()).toEqual(['TIME_WAIT']);
    made.advance(300 * SECOND_US);
    expect(made.node(1).conntrack.table.size).toBe(0);
    expect(made.memory.inUse).toBe(0);
  });

  it('moves a megabyte in full segments, every one of which fits the underlay', () => {
    const { made, client } = cluster(['10.244.2.7:8080']);
    const { connection, log } = dial(made, client, '10.96.12.3', 80);
    const piece = new TextEncoder().encode('abcdefgh'.repeat(8192));
    let left = 16;
    let rest = piece;
    const pump = () => {
      while (left > 0) {
        const accepted = connection.write(rest);
        rest = rest.subarray(accepted);
        if (rest.length > 0) return;
        rest = piece;
        left--;
      }
    };
    connection.onWritable = pump;
    pump();
    made.advance(20 * SECOND_US);
    const received = log.slice(1).reduce((sum, part) => sum + part.length, 0);
    expect(received).toBe(16 * piece.length);
    expect(Math.max(...made.captured.map((datagram) => datagram.length))).toBe(1472);
  });

  it('is refused at once when there is no endpoint, and when nobody listens', () => {
    const { made, client } = cluster([]);
    expect(dial(made, client, '10.96.12.3', 80).log, made.journey()).toEqual(['closed ECONNREFUSED']);
    expect(dial(made, client, '10.244.2.7', 81).log, made.journey()).toEqual(['closed ECONNREFUSED']);
    expect(made.memory.inUse).toBe(0);
  });

  it('is reached through a NodePort of another node', () => {
    const { made } = cluster(['10.244.1.6:8080']);
    const { connection, log } = dial(made, made.node(1).root, '192.168.1.11', 30080);
    connection.write(new TextEncoder().encode('round about'));
    made.advance(SECOND_US);
    expect(log, made.journey()).toEqual(['established', 'ROUND ABOUT']);
  });

  it('goes on over a change of rules, and starts anew on the same ports once it is over', () => {
    const { made, client } = cluster(['10.244.1.6:8080']);
    const first = dial(made, client, '10.96.12.3', 80);
    made.services({ name: 'web', protocol: 'tcp', clusterIp: '10.96.12.3', port: 80, backends: ['10.244.2.7:8080'] });
    first.connection.write(new TextEncoder().encode('still here'));
    made.advance(SECOND_US);
    expect(first.log, made.journey()).toEqual(['established', 'STILL HERE']);
    const { localPort } = first.connection;
    first.connection.abort();
    made.settle();
    const second = client.tcp.connect({ remoteAddress: ip('10.96.12.3'), remotePort: 80, localPort });
    made.advance(SECOND_US);
    expect(second.state, made.journey()).toBe('ESTABLISHED');
    const [row] = connectionRows(made.node(1).conntrack, made.engine.nowUs);
    expect(row?.reply.src).toBe('10.244.2.7');
  });
});
