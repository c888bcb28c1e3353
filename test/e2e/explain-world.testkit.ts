/** The pods of `policy-world.testkit.ts` on a real cluster of two nodes, and what a packet finds there beside `podwire explain`. */
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.d.ts';
import type { Random } from '../../shared/runtime/random.ts';
import { inBlock } from '../flow/policy-oracle.testkit.ts';
import { NAMESPACES, WORLD_PODS } from '../flow/policy-world.testkit.ts';
import { randomPolicies } from '../flow/random-policies.testkit.ts';
import type { TestCluster } from './cluster.ts';

/** A pod on the network of its node, and a Service of each namespace over its three pods. */
const ON_NODE = 'on-node';
const PORT = 80;

function worldObjects(): object[] {
  const namespaces = Object.entries(NAMESPACES).map(([name, labels]) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels },
  }));
  const pods = WORLD_PODS.map(({ namespace, name, labels, node, ports }) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, labels },
    spec: {
      nodeName: `worker-${node}`,
      containers: [
        {
          name: 'c',
          image: 'agnhost',
          args: ['netexec', `--http-port=${PORT}`, `--udp-port=${PORT}`],
          ports: ports.map((port) => ({ name: port.name, protocol: port.protocol, containerPort: port.port })),
        },
      ],
    },
  }));
  const services = Object.keys(NAMESPACES).map((namespace) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name: 'a' },
    spec: {
      selector: { pod: 'a' },
      ports: ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: 90, targetPort: PORT })),
    },
  }));
  const onNode = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'x', name: ON_NODE, labels: { pod: 'a' } },
    spec: { nodeName: 'worker-2', hostNetwork: true, containers: [{ name: 'c', image: 'agnhost' }] },
  };
  return [...namespaces, ...pods, ...services, onNode];
}

export class ExplainWorld {
  private readonly cluster: TestCluster;
  private addresses = new Map<string, string>();

  constructor(cluster: TestCluster) {
    this.cluster = cluster;
  }

  async start(): Promise<void> {
    await this.cluster.apply(listText(worldObjects()));
    for (const namespace of Object.keys(NAMESPACES)) {
      const ready = ['wait', 'pod', '-n', namespace, '--all', '--for=condition=Ready', '--timeout=120s'];
      await this.cluster.kubectlOut(ready);
      const format = '{range .items[*]}{.metadata.name}={.status.podIP}{"\\n"}{end}';
      const lines = await this.cluster.kubectlOut(['get', 'pods', '-n', namespace, '-o', `jsonpath=${format}`]);
      for (const line of lines.trim().split('\n')) {
        const [name, address = ''] = line.split('=');
        this.addresses.set(`${namespace}/${name}`, address);
      }
    }
  }

  /** In the place of those before. */
  async setPolicies(seed: number): Promise<void> {
    const policies = randomPolicies(seed).map((one) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      ...acceptable(one),
    }));
    for (const namespace of Object.keys(NAMESPACES)) {
      await this.cluster.kubectlOut(['delete', 'networkpolicy', '-n', namespace, '--all']);
    }
    await this.cluster.apply(listText(policies));
  }

  /** Who asks whom at which port of which protocol. */
  probe(random: Random): { readonly client: string; readonly target: string; readonly protocol: string } {
    const oneOf = <T>(values: readonly T[]): T => values[Math.floor(random.next() * values.length)]!;
    const names = [...this.addresses.keys()];
    const servers = names.filter((name) => !name.endsWith(ON_NODE));
    const protocol = oneOf(['tcp', 'udp']);
    const service = `a.${oneOf(Object.keys(NAMESPACES))}.svc.cluster.local:90`;
    const pod = `${this.addresses.get(oneOf(servers))}:${oneOf([PORT, PORT, PORT, 81])}`;
    const client = oneOf(names);
    return { client, target: client.endsWith(ON_NODE) || random.next() < 0.7 ? pod : service, protocol };
  }

  async packetPasses({ client, target, protocol }: ReturnType<ExplainWorld['probe']>): Promise<boolean> {
    const [namespace = '', name = ''] = client.split('/');
    const connect = ['/agnhost', 'connect', target, '--timeout=1s', `--protocol=${protocol}`];
    return (await this.cluster.kubectl(['exec', '-n', namespace, name, '--', ...connect])).code === 0;
  }

  /** What the policies mean; a test packet of its own would find what is in force at this moment, which may be those before. */
  async explained({ client, target, protocol }: ReturnType<ExplainWorld['probe']>) {
    const question = ['explain', client, target, '--protocol', protocol, '--no-probe'];
    const { code, stdout } = await this.cluster.podwire(question);
    return { passes: code === 0, text: stdout };
  }
}

function listText(items: readonly object[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

/** The API refuses exceptions that are not in their block. */
function acceptable(policy: NetworkPolicy): NetworkPolicy {
  return JSON.parse(JSON.stringify(policy), (key, value) => {
    if (key !== 'ipBlock') return value;
    const { cidr, except = [] } = value as { cidr: string; except?: string[] };
    const inside = except.filter((hole) => isWithin(hole, cidr));
    return inside.length === 0 ? { cidr } : { cidr, except: inside };
  });
}

function isWithin(hole: string, cidr: string): boolean {
  const [address = '', length] = hole.split('/');
  return Number(length) > Number(cidr.split('/')[1]) && inBlock({ cidr }, address);
}
