/**
 * The API servers as pods reach them: their addresses (192.168.1.2, ...) are beyond the nodes, and a connection there goes on
 * over the bus to the server that it is meant for, which may be on another machine.
 *
 *   pod -> ClusterIP of the Service `kubernetes` -> DNAT -> eth0 of the node -> outside host -> stream -> apiserver's TLS
 */
import type { Endpoints } from 'kubernetes-types/core/v1.d.ts';
import { ENDPOINTS } from '../../shared/api/resources.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { API_CONNECTION } from '../../shared/bus/connection-subjects.ts';
import { createInformer, type Informer } from '../../shared/bus/informer.ts';
import { openStream } from '../../shared/bus/stream.ts';
import { streamDuplex } from '../../shared/bus/stream-duplex.ts';
import type { PodNetwork, PodTcpServer, PodTcpSocket } from '../../shared/podnet/pod-network.ts';
import type { Logger } from '../../shared/runtime/log.ts';

const NAMESPACE = 'default';
const SERVICE = 'kubernetes';
/** A label that hardly any other Endpoints of the namespace have. */
const MARK = 'endpointslice.kubernetes.io/skip-mirror';

export interface ApiServersOptions {
  readonly bus: Bus;
  readonly log: Logger;
  /** Of the host beyond the nodes. */
  readonly outside: PodNetwork;
  /** Gives that host one more address. */
  readonly addAddress: (address: string) => void;
}

export class ApiServers {
  private readonly options: ApiServersOptions;
  private readonly endpoints: Informer<Endpoints>;
  private readonly doors = new Map<string, Promise<PodTcpServer | undefined>>();

  constructor(options: ApiServersOptions) {
    this.options = options;
    this.endpoints = createInformer<Endpoints>(options.bus, ENDPOINTS, {
      namespace: NAMESPACE,
      mentions: MARK,
      transform: (one) => (one.metadata?.name === SERVICE ? one : undefined),
    });
  }

  async start(): Promise<void> {
    const sync = () => this.sync();
    this.endpoints.subscribe({ added: sync, updated: sync, deleted: sync });
    await this.endpoints.start();
  }

  stop(): void {
    this.endpoints.stop();
    for (const door of this.doors.values()) closeDoor(door);
    this.doors.clear();
  }

  private sync(): void {
    const wanted = new Map(serversOf(this.endpoints.get(SERVICE, NAMESPACE)).map((server) => [server.name, server]));
    for (const [name, door] of this.doors) {
      if (wanted.has(name)) continue;
      closeDoor(door);
      this.doors.delete(name);
    }
    for (const [name, server] of wanted) if (!this.doors.has(name)) this.doors.set(name, this.open(server));
  }

  private async open({ name, address, port }: ApiServer): Promise<PodTcpServer | undefined> {
    const { outside, addAddress, log } = this.options;
    try {
      addAddress(address);
      const door = await outside.listenTcp({ host: address, port, allowHalfOpen: true });
      door.on('connection', (client: PodTcpSocket) => void this.carry(client, name));
      return door;
    } catch (error) {
      log.warn({ error, server: name }, 'pods cannot reach an API server');
      this.doors.delete(name);
      return undefined;
    }
  }

  private async carry(client: PodTcpSocket, server: string): Promise<void> {
    client.on('error', () => client.destroy());
    try {
      const stream = await openStream(this.options.bus, API_CONNECTION, { server }, {});
      const inner = streamDuplex(stream);
      inner.on('error', () => client.resetAndDestroy());
      inner.once('close', () => client.destroySoon());
      client.once('close', () => inner.destroy());
      client.setNoDelay(true);
      client.pipe(inner).pipe(client);
    } catch {
      // The server is gone, or the bus is: as a machine that refuses.
      client.resetAndDestroy();
    }
  }
}

interface ApiServer {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

function serversOf(endpoints: Endpoints | undefined): ApiServer[] {
  return (endpoints?.subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    addresses.flatMap(({ ip }) => ports.map(({ port }) => ({ name: `${ip}:${port}`, address: ip, port }))),
  );
}

function closeDoor(door: Promise<PodTcpServer | undefined>): void {
  void door.then((server) => server?.close());
}
