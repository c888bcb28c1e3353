/** HTTP on the node's own addresses, in the emulated network: connected with the first port that somebody wants. */
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import type { HealthServer, HttpReply } from './health-check-ports.ts';

export class NodeHttp {
  private readonly path: string | undefined;
  private network: Promise<PodNetwork> | undefined;

  /** `path`: the Unix socket of this pod's network, which is the node's. */
  constructor(path: string | undefined) {
    this.path = path;
  }

  async listen(port: number, reply: () => HttpReply): Promise<HealthServer> {
    // node:http is large, and few nodes serve such ports.
    const { listenHttp } = await import('../../shared/podnet/http.ts');
    const network = await this.connected();
    return listenHttp(network, { port }, (_request, response) => {
      const { status, headers, body } = reply();
      response.writeHead(status, headers);
      response.end(body);
    });
  }

  async close(): Promise<void> {
    const network = await this.network;
    network?.close();
  }

  private connected(): Promise<PodNetwork> {
    const { path } = this;
    if (path === undefined) return Promise.reject(new Error('PODWIRE_PODNET_SOCKET is not set'));
    this.network ??= import('../../shared/podnet/socket-client.ts').then(({ connectPodNetwork }) =>
      connectPodNetwork({ path }),
    );
    return this.network;
  }
}
