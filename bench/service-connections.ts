/**
 * Connections through a ClusterIP beside connections to the pod's own address, in processor time of one process without sockets: each is
 * opened, asked one question, answered, and closed by both sides. Both kinds in turns, in the same emulated cluster.
 */

import type { Host } from '../shared/netstack/host.ts';
import { TestCluster } from '../test/flow/cluster.testkit.ts';
import { NodeProxy, type ProxyMode } from '../test/flow/service-world.testkit.ts';
import { address } from './address.ts';
import type { BenchmarkContext } from './benchmark.ts';
import { type FigureInput, median } from './figure.ts';

/** Of one turn: one kind and the other by turns, so that collections of garbage hit both. */
const CONNECTIONS = 100;
/** Of one measurement. */
const TURNS = 40;
/** Measurements until the compilers have had their turn. */
const WARM_UP = 10;
const CLIENT = '10.244.1.5';
const BACKEND = { address: '10.244.1.6', port: 8080 };
const SERVICE = { address: '10.97.0.1', port: 80 };
/** Virtual time after which both ends have forgotten a closed connection. */
const FORGOTTEN_AFTER_US = 300_000_000;

export function connectionFigures(mode: ProxyMode, { repeats }: BenchmarkContext): Record<string, FigureInput> {
  const cluster = new TestCluster(1, 1, { traced: false });
  serve(cluster);
  const proxy = new NodeProxy(mode, cluster.node(1));
  proxy.update({
    name: 'web',
    spec: { clusterIP: SERVICE.address, ports: [{ port: SERVICE.port, protocol: 'TCP' }] },
    backends: [BACKEND],
  });
  proxy.sync();
  const client = cluster.pod(CLIENT).host;
  for (let i = 0; i < WARM_UP; i++) measure(cluster, client);
  const rounds = Array.from({ length: repeats }, () => measure(cluster, client));
  const label = `${mode}: connections through a ClusterIP`;
  const reference = { label: "to the pod's address", samples: rounds.map(({ direct }) => direct) };
  return { [label]: { label, unit: '/s', samples: rounds.map(({ service }) => service), reference } };
}

function serve(cluster: TestCluster): void {
  const { host } = cluster.pod(BACKEND.address);
  host.tcp.listen({ port: BACKEND.port }).onConnection = (connection) => {
    connection.onData = (bytes) => connection.write(bytes.slice());
    connection.onEnd = () => connection.end();
  };
}

/** Connections a second of processor time, by the middle one of the turns. */
function measure(cluster: TestCluster, client: Host): { service: number; direct: number } {
  const us = { service: [] as number[], direct: [] as number[] };
  for (let i = 0; i < TURNS; i++) {
    us.service.push(connectionsUs(cluster, client, SERVICE));
    us.direct.push(connectionsUs(cluster, client, BACKEND));
  }
  cluster.advance(FORGOTTEN_AFTER_US);
  const perSecond = (turnsUs: readonly number[]): number => (CONNECTIONS * 1e6) / median(turnsUs);
  return { service: perSecond(us.service), direct: perSecond(us.direct) };
}

/** One after the other. Throws when one of them has no answer. */
function connectionsUs(cluster: TestCluster, client: Host, server: typeof SERVICE): number {
  const question = new Uint8Array(1);
  const remoteAddress = address(server.address);
  let answers = 0;
  const before = process.cpuUsage();
  for (let i = 0; i < CONNECTIONS; i++) {
    const connection = client.tcp.connect({ remoteAddress, remotePort: server.port });
    connection.onEstablished = () => connection.write(question);
    connection.onData = () => {
      answers++;
      connection.end();
    };
    cluster.settle();
  }
  const { user, system } = process.cpuUsage(before);
  if (answers !== CONNECTIONS) throw new Error(`${answers} of ${CONNECTIONS} connections were answered`);
  return user + system;
}
