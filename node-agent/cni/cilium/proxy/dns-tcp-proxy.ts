/** DNS over TCP through the proxy (RFC 1035 section 4.2.2): messages pass one by one, each after the gate has seen it. */
import type { PodTcpSocket } from '../../../../shared/podnet/pod-network.ts';
import type { DnsGate } from '../../../datapath/cilium/dns-gate.ts';
import { DnsStreamReader, framed } from './dns-stream.ts';
import type { ProxiedConnection } from './proxied-connection.ts';

export class DnsTcpProxy {
  private readonly gate: DnsGate;
  private readonly inTurn: (call: () => void) => void;

  /** `inTurn`: what answers tell is put into force in a turn of the data path. */
  constructor(gate: DnsGate, inTurn: (call: () => void) => void) {
    this.gate = gate;
    this.inTurn = inTurn;
  }

  async accept(connection: ProxiedConnection): Promise<void> {
    const { socket: client } = connection;
    let server: PodTcpSocket;
    try {
      server = await connection.connect(true);
    } catch {
      client.resetAndDestroy(); // as the server would
      return;
    }
    if (client.destroyed) {
      server.destroy(); // it left meanwhile
      return;
    }
    server.once('close', () => client.destroySoon());
    client.once('close', () => server.destroy());
    client.once('end', () => server.end());
    server.once('end', () => client.end());
    const sinks = [client, server];
    readFrom(client, sinks, new DnsStreamReader((message) => this.question(connection, server, message)));
    readFrom(server, sinks, new DnsStreamReader((message) => this.answer(connection, message)));
  }

  private question(connection: ProxiedConnection, server: PodTcpSocket, message: Uint8Array): void {
    const { socket, ends } = connection;
    const decision = connection.decision();
    this.inTurn(() => {
      const answer = decision === null ? 'pass' : this.gate.query(ends, message, decision);
      if (answer === 'pass') server.write(framed(message));
      else if (answer === 'malformed') socket.resetAndDestroy();
      else socket.write(framed(answer));
    });
  }

  private answer({ socket, ends }: ProxiedConnection, message: Uint8Array): void {
    this.inTurn(() => {
      if (this.gate.answer(ends, message)) socket.write(framed(message));
      else socket.resetAndDestroy();
    });
  }
}

/** No faster than others take what comes of it. */
function readFrom(source: PodTcpSocket, sinks: readonly PodTcpSocket[], reader: DnsStreamReader): void {
  source.on('data', (bytes: Uint8Array) => {
    reader.take(bytes);
    const full = sinks.find(({ writableNeedDrain }) => writableNeedDrain);
    if (full === undefined) return;
    source.pause();
    full.once('drain', () => source.resume());
  });
}
