/** exec, attach, portforward, log and proxy: requests that become byte streams to a node. */
import type { Duplex } from 'node:stream';
import { badRequest } from '../../../shared/api/status.ts';
import type { Arrival } from '../http/https-server.ts';
import type { ResourceRequestInfo } from '../http/request-info.ts';
import type { Reply } from '../http/response.ts';

export class ConnectFront {
  async serve(_arrival: Arrival, _info: ResourceRequestInfo, _reply: Reply): Promise<void> {
    throw badRequest('Upgrade request required');
  }

  async upgrade(_arrival: Arrival, _info: ResourceRequestInfo, _socket: Duplex, _head: Buffer): Promise<void> {
    throw badRequest('Upgrade request required');
  }
}
