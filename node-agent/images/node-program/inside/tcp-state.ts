/** What stands behind one native TCP handle of a Node program. */
import { AsyncResource } from 'node:async_hooks';
import type { PodTcpServer, SocketAddress } from '../../../../shared/podnet/pod-network.ts';
import type { SocketNetwork } from '../../../../shared/podnet/socket-client.ts';
import { mapped, named, type SocketName } from './bindings.ts';
import type { ByteSink, ByteStream } from './byte-stream.ts';
import type { PodLink } from './pod-link.ts';

export class TcpState {
  stream: ByteStream | undefined;
  /** Takes what arrives; the native handle's `onread` by default. */
  sink: ByteSink | undefined;
  bound: { readonly address: string; readonly port: number } | undefined;
  /** IPV6_V6ONLY. */
  ipv6Only = false;
  /** A socket of IPv6, which writes addresses of IPv4 as its own. */
  isIpv6 = false;
  server: { readonly listener: PodTcpServer; readonly network: SocketNetwork } | undefined;
  attempt: AbortController | undefined;
  userBuffer: Uint8Array | undefined;
  readonly resource = new AsyncResource('POD_TCP');
  /** Connections of a listener that are open. */
  accepted = 0;
  bytesRead = 0;
  bytesWritten = 0;
  closed = false;
  reading = false;
  noDelay = false;
  /** Undefined while nobody wants the peer to be probed. */
  keepAliveDelayMs: number | undefined;
  private readonly link: PodLink;
  private wantsProcess = true;
  private holdsLink = false;

  constructor(link: PodLink) {
    this.link = link;
  }

  name(end: SocketAddress): SocketName {
    return named(this.isIpv6 ? mapped(end) : end);
  }

  get referenced(): boolean {
    return this.wantsProcess && !this.closed;
  }

  setReferenced(on: boolean): void {
    this.wantsProcess = on;
    this.settleReferences();
  }

  settleReferences(): void {
    const { server } = this;
    if (server !== undefined) {
      if (this.referenced) server.network.ref();
      else server.network.unref();
    }
    const holds = this.referenced && (this.stream !== undefined || this.attempt !== undefined);
    if (holds === this.holdsLink) return;
    this.holdsLink = holds;
    if (holds) this.link.retain();
    else this.link.release();
  }
}
