/** A connection of a pod's that the proxy answers: who asked whom, what policy says of it, and the way on to the server. */

import type { PodNetwork, PodTcpSocket } from '../../../../shared/podnet/pod-network.ts';
import { socketErrorCode } from '../../../../shared/podnet/socket-error.ts';
import type { L7Decision } from '../../../../shared/policy/l7-rules.ts';
import { parseAddress } from '../../../../shared/wire/ip-address.ts';
import { PROTOCOL_TCP } from '../../../../shared/wire/ipv4.ts';
import type { FlowEnds } from '../../../datapath/cilium/flow-log.ts';
import type { PolicyEngine } from '../../../datapath/policy/policy-engine.ts';
import type { PolicySide } from '../../../datapath/policy/policy-proxy.ts';

/** Below those that pods' own sockets take, so that no connection of theirs has the same ends. */
const FIRST_PORT = 10_001;
const PORTS = 10_000;
const MAX_PORT_TRIES = 100;
/** So that what a pod leaves behind that is gone does not stay. */
const KEEP_ALIVE_MS = 60_000;

let nextPort = 0;

export interface ProxiedConnectionOptions {
  readonly side: PolicySide;
  /** From the pod: its local end is the server's. */
  readonly socket: PodTcpSocket;
  /** Of the proxy's namespace. */
  readonly network: PodNetwork;
  readonly policy: PolicyEngine;
}

export class ProxiedConnection {
  readonly socket: PodTcpSocket;
  readonly ends: FlowEnds;
  private readonly options: ProxiedConnectionOptions;

  constructor(options: ProxiedConnectionOptions) {
    const { localAddress, localPort, remoteAddress, remotePort } = options.socket;
    this.options = options;
    this.socket = attended(options.socket);
    this.ends = {
      protocol: PROTOCOL_TCP,
      client: parseAddress(remoteAddress) ?? 0,
      clientPort: remotePort,
      server: parseAddress(localAddress) ?? 0,
      serverPort: localPort,
    };
  }

  /** What rules say now; null where none asks what it carries any more. */
  decision(): L7Decision | null {
    const { side, policy } = this.options;
    const { client, server, protocol, serverPort } = this.ends;
    return policy.decisionOf(side, client, server, protocol, serverPort)?.l7 ?? null;
  }

  /** To the server, in the name of the client. Rejects with the error of the socket. */
  async connect(allowHalfOpen: boolean): Promise<PodTcpSocket> {
    const { network, socket } = this.options;
    const { localAddress: host, localPort: port, remoteAddress: localAddress } = socket;
    for (let tries = 1; ; tries++) {
      const localPort = FIRST_PORT + (nextPort++ % PORTS);
      try {
        return attended(await network.connectTcp({ host, port, localAddress, localPort, allowHalfOpen }));
      } catch (error) {
        if (socketErrorCode(error) !== 'EADDRINUSE' || tries >= MAX_PORT_TRIES) throw error;
      }
    }
  }
}

function attended(socket: PodTcpSocket): PodTcpSocket {
  socket.on('error', () => socket.destroy());
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket;
}
