/** The peers of a link: which number has which endpoint, and whose datagram came from where. */
import { isIPv4 } from 'node:net';
import { parseIpv4 } from '../../shared/wire/address.ts';
import type { LinkEndpoint, PeerId } from '../datapath/link.ts';

export interface NumericEndpoint {
  readonly address: number;
  readonly port: number;
}

/**
 * A datagram belongs to the peer with its source address and port; from a port that no peer has, to the only peer of that
 * address: a sender of VXLAN may spread its flows over source ports (RFC 7348 section 5), as Linux' own device does.
 */
export class PeerEndpoints {
  private readonly endpoints: (LinkEndpoint | undefined)[] = [];
  /** The same as numbers. */
  private readonly numbers: (NumericEndpoint | undefined)[] = [];
  private readonly byAddress = new Map<string, Map<number, PeerId>>();
  /** The sender looked up last, who is mostly the next one's too: strings are compared faster than they are hashed. */
  private lastAddress = '';
  private lastPort = 0;
  private lastPeer: PeerId | undefined;

  /** Throws for an endpoint that is no IPv4 address. */
  add(endpoint: LinkEndpoint): PeerId {
    if (!isIPv4(endpoint.address)) {
      throw new Error(
        `peer endpoint ${endpoint.address}:${endpoint.port}: expected an IPv4 address, look names up first`,
      );
    }
    this.lastAddress = '';
    const peer = this.endpoints.push(endpoint) - 1;
    this.numbers[peer] = { address: parseIpv4(endpoint.address) ?? 0, port: endpoint.port };
    let ports = this.byAddress.get(endpoint.address);
    if (ports === undefined) {
      ports = new Map();
      this.byAddress.set(endpoint.address, ports);
    }
    ports.set(endpoint.port, peer);
    return peer;
  }

  remove(peer: PeerId): void {
    const endpoint = this.endpoints[peer];
    if (endpoint === undefined) return;
    this.lastAddress = '';
    this.endpoints[peer] = undefined;
    this.numbers[peer] = undefined;
    const ports = this.byAddress.get(endpoint.address);
    if (ports?.get(endpoint.port) === peer) ports.delete(endpoint.port);
    if (ports?.size === 0) this.byAddress.delete(endpoint.address);
  }

  /** Undefined once the peer was removed. */
  endpointOf(peer: PeerId): LinkEndpoint | undefined {
    return this.endpoints[peer];
  }

  addressOf(peer: PeerId): NumericEndpoint | undefined {
    return this.numbers[peer];
  }

  senderOf(address: string, port: number): PeerId | undefined {
    if (port === this.lastPort && address === this.lastAddress) return this.lastPeer;
    this.lastPeer = this.find(address, port);
    this.lastAddress = address;
    this.lastPort = port;
    return this.lastPeer;
  }

  private find(address: string, port: number): PeerId | undefined {
    const ports = this.byAddress.get(address);
    if (ports === undefined) return undefined;
    const exact = ports.get(port);
    if (exact !== undefined || ports.size > 1) return exact;
    const [only] = ports.values();
    return only;
  }
}
