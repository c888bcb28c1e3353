/**
 * The servers behind `healthCheckNodePort`: a load balancer outside asks each node whether it has an endpoint of a Service
 * whose policy is Local. 200 with one, 503 without; the body is JSON as the original's (pkg/proxy/healthcheck).
 */
import type { ServiceState } from './compile/service-state.ts';
import type { HttpReply, NodeHttpServer } from './node-http.ts';

export interface HealthCheckOptions {
  readonly nodeName: string;
  /** Serves a port of the node; rejects when it is taken. */
  readonly listen: (port: number, reply: () => HttpReply) => Promise<NodeHttpServer>;
  /** Whether this proxy keeps up with the cluster. */
  readonly isHealthy: () => boolean;
  /** Told of a port that cannot be served. */
  readonly failed: (service: string, port: number, error: unknown) => void;
}

interface Served {
  readonly port: number;
  localEndpoints: number;
  readonly server: Promise<NodeHttpServer | undefined>;
}

export class HealthCheckPorts {
  private readonly options: HealthCheckOptions;
  private readonly served = new Map<string, Served>();
  /** Servers that are being ended. */
  private ending: Promise<void> = Promise.resolve();

  constructor(options: HealthCheckOptions) {
    this.options = options;
  }

  /** A Service's present state; one without ports is forgotten. */
  update(state: ServiceState): void {
    const { key } = state;
    const port = state.ports.find((one) => one.port.healthCheckNodePort !== 0)?.port.healthCheckNodePort;
    const present = this.served.get(key);
    if (present !== undefined && present.port !== port) {
      this.served.delete(key);
      this.ending = Promise.all([this.ending, present.server.then((server) => server?.close())]).then(() => undefined);
    }
    if (port === undefined) return;
    const localEndpoints = countLocal(state, this.options.nodeName);
    if (present?.port === port) present.localEndpoints = localEndpoints;
    else this.serve(key, port, localEndpoints);
  }

  /** Ends all. */
  async close(): Promise<void> {
    const servers = await Promise.all([...this.served.values()].map(({ server }) => server));
    this.served.clear();
    await Promise.all([this.ending, ...servers.map((server) => server?.close())]);
  }

  private serve(key: string, port: number, localEndpoints: number): void {
    const { listen, failed, isHealthy } = this.options;
    const reply = (): HttpReply => healthReply(key, served.localEndpoints, isHealthy());
    const server = listen(port, reply).catch((error: unknown) => {
      failed(key, port, error);
      // Tried again with the Service's next change.
      if (this.served.get(key) === served) this.served.delete(key);
      return undefined;
    });
    const served: Served = { port, localEndpoints, server };
    this.served.set(key, served);
  }
}

/** Ready endpoints at the node, each address once. */
function countLocal({ ports }: ServiceState, nodeName: string): number {
  const local = ports.flatMap(({ endpoints }) => endpoints.filter((one) => one.ready && one.nodeName === nodeName));
  return new Set(local.map(({ address }) => address)).size;
}

function healthReply(key: string, localEndpoints: number, isHealthy: boolean): HttpReply {
  const [namespace = '', name = ''] = key.split('/');
  const answer = { service: { namespace, name }, localEndpoints, serviceProxyHealthy: isHealthy };
  return {
    status: localEndpoints > 0 && isHealthy ? 200 : 503,
    headers: {
      'Content-Type': 'application/json',
      'X-Content-Type-Options': 'nosniff',
      'X-Load-Balancing-Endpoint-Weight': String(localEndpoints),
    },
    body: JSON.stringify(answer, null, '\t'),
  };
}
