/**
 * Requests that become byte streams to a node: which subresource speaks which dialect.
 *
 *   exec, attach   WebSocket (*.channel.k8s.io) | SPDY/3.1
 *   portforward    WebSocket (SPDY inside, or channels) | SPDY/3.1
 *   log            plain HTTP
 *   proxy          plain HTTP, WebSocket passed through
 */
import type { Duplex } from 'node:stream';
import { badRequest } from '../../../shared/api/status.ts';
import { STREAM_CHANNEL } from '../../../shared/bus/subjects.ts';
import type { Random } from '../../../shared/runtime/random.ts';
import type { Arrival } from '../http/https-server.ts';
import type { ResourceRequestInfo } from '../http/request-info.ts';
import type { Reply } from '../http/response.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import { acceptSpdy, acceptWebSocket, offeredProtocols, type UpgradeRequest, upgradeKind } from './handshake.ts';
import type { StreamOpener } from './node-streams.ts';
import { serveLog } from './pod-log.ts';
import { type PodTarget, podTarget } from './pod-target.ts';
import {
  forwardedPorts,
  forwardOverChannels,
  forwardOverSpdy,
  SPDY_PROTOCOL,
  TUNNEL_PROTOCOL,
} from './port-forward.ts';
import { type ProxyRequest, proxyHttp, proxyUpgrade } from './proxy.ts';
import { nodeProxyTarget, podProxyTarget, serviceProxyTarget } from './proxy-target.ts';
import { type CommandStreams, commandRequest, commandStreams, joinCommand } from './remote-command.ts';
import { SpdyConnection } from './spdy/connection.ts';
import { SpdyChannels } from './spdy-channels.ts';
import { CHANNEL_PROTOCOLS, WebSocketChannels } from './web-socket-channels.ts';

/** Of remote command over SPDY; version 5 exists over WebSocket only. */
const SPDY_COMMAND_PROTOCOLS = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'];
const STRUCTURED = /^v[45]\./;

export class ConnectFront {
  private readonly storage: ObjectStorage;
  private readonly open: StreamOpener;
  private readonly random: Random;

  constructor(storage: ObjectStorage, open: StreamOpener, random: Random) {
    this.random = random;
    this.storage = storage;
    this.open = open;
  }

  async serve({ url }: Arrival, info: ResourceRequestInfo, reply: Reply): Promise<void> {
    if (info.resource === 'pods' && info.subresource === 'log') {
      return serveLog(reply, this.target(info), url.searchParams, this.open);
    }
    if (info.subresource === 'proxy') return proxyHttp(this.proxied(info, url), reply, this.open);
    this.target(info);
    throw badRequest('Upgrade request required');
  }

  async upgrade({ request, url }: Arrival, info: ResourceRequestInfo, socket: Duplex, head: Buffer): Promise<void> {
    const upgrade: UpgradeRequest = { request, socket, head };
    if (info.subresource === 'proxy') return proxyUpgrade(this.proxied(info, url), request, socket, head, this.open);
    const target = this.target(info);
    switch (info.subresource) {
      case 'exec':
      case 'attach':
        return this.command(info.subresource, target, url.searchParams, upgrade);
      case 'portforward':
        return this.portForward(target, url.searchParams, upgrade);
      default:
        throw badRequest(`${info.resource}/${info.subresource} cannot be upgraded to another protocol`);
    }
  }

  private target({ name = '', namespace = '' }: ResourceRequestInfo): PodTarget {
    return podTarget(this.storage, name, namespace);
  }

  private proxied(info: ResourceRequestInfo, url: URL): ProxyRequest {
    const { resource, name = '', namespace = '' } = info;
    const rest = info.rest ?? '';
    const prefix = url.pathname.slice(0, url.pathname.length - rest.length).replace(/\/$/, '');
    const path = `/${rest}${url.search}`;
    if (resource === 'pods') return { target: podProxyTarget(this.storage, name, namespace), path, prefix };
    if (resource === 'services') {
      return { target: serviceProxyTarget(this.storage, name, namespace, this.random), path, prefix };
    }
    return { target: nodeProxyTarget(this.storage, name), path, prefix };
  }

  private async command(
    kind: 'exec' | 'attach',
    target: PodTarget,
    query: URLSearchParams,
    upgrade: UpgradeRequest,
  ): Promise<void> {
    const streams = commandStreams(query);
    const upgradeTo = upgradeKind(upgrade.request);
    // Opened first: what the node refuses is still an HTTP answer.
    const stream = await this.open(target.node, commandRequest(kind, target, query, streams));
    try {
      if (upgradeTo === 'websocket') {
        const client = await acceptWebSocket(upgrade, CHANNEL_PROTOCOLS, (socket) => new WebSocketChannels(socket));
        // Tells the client that the connection stands, as the original does.
        void client.send(streams.stdout ? STREAM_CHANNEL.stdout : STREAM_CHANNEL.error, new Uint8Array());
        await joinCommand(client, stream, target.node, STRUCTURED.test(client.protocol));
      } else {
        const { connection, protocol } = acceptSpdy(upgrade, SPDY_COMMAND_PROTOCOLS);
        const client = new SpdyChannels(connection, expectedChannels(streams));
        await joinCommand(client, stream, target.node, STRUCTURED.test(protocol));
      }
    } finally {
      stream.close();
    }
  }

  private async portForward(target: PodTarget, query: URLSearchParams, upgrade: UpgradeRequest): Promise<void> {
    if (upgradeKind(upgrade.request) === 'spdy') {
      forwardOverSpdy(acceptSpdy(upgrade, [SPDY_PROTOCOL]).connection, target, this.open);
      return;
    }
    if (offeredProtocols(upgrade.request).includes(TUNNEL_PROTOCOL)) {
      const { createWebSocketStream } = await import('ws');
      await acceptWebSocket(upgrade, [TUNNEL_PROTOCOL], (socket) => {
        forwardOverSpdy(new SpdyConnection(createWebSocketStream(socket)), target, this.open);
      });
      return;
    }
    const ports = forwardedPorts(query);
    const protocols = [SPDY_PROTOCOL, ...CHANNEL_PROTOCOLS];
    const client = await acceptWebSocket(upgrade, protocols, (socket) => new WebSocketChannels(socket));
    await forwardOverChannels(client, ports, target, this.open);
  }
}

function expectedChannels({ stdin, stdout, stderr }: CommandStreams): number[] {
  return [
    STREAM_CHANNEL.error,
    ...(stdin ? [STREAM_CHANNEL.stdin] : []),
    ...(stdout ? [STREAM_CHANNEL.stdout] : []),
    ...(stderr ? [STREAM_CHANNEL.stderr] : []),
  ];
}
