/** Look-ups that begin before a name server is there, in each proxy mode: they end well as soon as one is. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveFakeDns } from '../../../node-agent/images/commands/dns/fake-dns-server.testkit.ts';
import { staleUdpConnections } from '../../../proxy/kube-proxy/modes/udp-flows.ts';
import { TestLoop } from '../../../shared/podnet/pod-pair.testkit.ts';
import { Resolver } from '../../../shared/podnet/resolver.ts';
import { StackNetwork } from '../../../shared/podnet/stack-network.ts';
import { TestCluster } from '../cluster.testkit.ts';
import { NodeProxy, PROXY_MODES, serviceState, type TestedService } from '../service-world.testkit.ts';

const KUBE_DNS = '10.96.0.10';
const SERVERS = ['10.244.1.7', '10.244.2.7'];

const kubeDns = (servers: readonly string[]): TestedService => ({
  name: 'kube-dns',
  spec: { clusterIP: KUBE_DNS, ports: [{ name: 'dns', port: 53, targetPort: 53, protocol: 'UDP' }] },
  backends: servers.map((address) => ({ address, port: 53 })),
});

describe.each(PROXY_MODES)('%s', (mode) => {
  let cluster: TestCluster;
  let loop: TestLoop;
  let proxy: NodeProxy;
  let resolver: Resolver;

  beforeEach(async () => {
    cluster = new TestCluster(2, 1, { traced: false });
    loop = new TestLoop(cluster.engine);
    const network = (address: string): StackNetwork => new StackNetwork({ host: cluster.pod(address).host, loop });
    for (const address of SERVERS) await serveFakeDns(network(address));
    proxy = new NodeProxy(mode, cluster.node(1));
    const options = 'ndots:5 timeout:1 attempts:5';
    resolver = new Resolver(network('10.244.1.5'), {
      resolvConf: () => `nameserver ${KUBE_DNS}\nsearch default.svc.cluster.local\noptions ${options}\n`,
      hosts: () => '',
    });
  });
  afterEach(() => loop.close());

  /** What kube-proxy sends when the name servers become these. */
  function become(servers: readonly string[], before: readonly string[] | undefined): void {
    const [old, present] = [before === undefined ? undefined : serviceState(kubeDns(before)), kubeDns(servers)];
    loop.run(() => {
      proxy.update(present);
      proxy.sync(staleUdpConnections(old, serviceState(present)));
    });
  }

  it('fails at once while no server is ready, and not once after', async () => {
    become([], undefined);
    await expect(resolver.lookupOne('web')).rejects.toMatchObject({ code: 'EAI_AGAIN' });
    become(SERVERS, []);
    for (let i = 0; i < 20; i++) expect(await resolver.lookupOne('web')).toBe('10.96.0.5');
  });

  it('succeeds within its own retries when the Service itself comes later', async () => {
    const found = resolver.lookupOne('web');
    await new Promise(setImmediate);
    become(SERVERS, undefined);
    expect(await found).toBe('10.96.0.5');
  });

  it('goes on with the other server when one goes', async () => {
    become(SERVERS, undefined);
    expect(await resolver.lookupOne('web')).toBe('10.96.0.5');
    become(SERVERS.slice(1), SERVERS);
    for (let i = 0; i < 20; i++) expect(await resolver.lookupOne('web')).toBe('10.96.0.5');
  });
});
