/**
 * What a node of each plugin shows on a real cluster: pods of two nodes talk, by the route, in the form on the wire and with the
 * MTU that the plugin's README promises.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';

interface PluginCase {
  readonly arguments: readonly string[];
  readonly mtuBytes: number;
  /** In `ip route` of worker-1. */
  readonly route: RegExp;
  /** tcpdump's device, filter and line of a ping between the nodes, on worker-1. */
  readonly device: string;
  readonly filter: string;
  readonly onTheWire: RegExp;
  /** Commands of worker-1, and what they show. */
  readonly shows: readonly (readonly [command: string, shown: RegExp])[];
  /** The same on worker-2, once a policy denies its pod what comes in. */
  readonly denied?: readonly (readonly [command: string, shown: RegExp])[];
}

const PLUGINS: Readonly<Record<string, PluginCase>> = {
  bridge: {
    arguments: ['--cni', 'bridge'],
    mtuBytes: 1500,
    route: /10\.244\.\d\.0\/24 via 192\.168\.1\.11 dev eth0/,
    device: 'eth0',
    filter: 'icmp',
    onTheWire: /IP 10\.244\.\d+\.\d+ > 10\.244\.\d+\.\d+: ICMP echo request/,
    shows: [
      ['ip link show cni0', /cni0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500/],
      [
        'iptables-save -t nat',
        /! -d 10\.244\.0\.0\/16 .*kubenet: SNAT for outbound traffic from cluster.* -j MASQUERADE/,
      ],
    ],
  },
  'kube-router': {
    arguments: ['--cni', 'kube-router', '--cni-backend', 'ipip'],
    mtuBytes: 1480,
    route: /10\.244\.\d\.0\/24 dev tun-192168111 proto 17 src 192\.168\.1\.10/,
    device: 'eth0',
    filter: 'ip proto 4',
    onTheWire: /IP 192\.168\.1\.10 > 192\.168\.1\.11: IP 10\.244\.\d+\.\d+ > 10\.244\.\d+\.\d+: ICMP echo request/,
    shows: [
      ['ip link show kube-bridge', /kube-bridge: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1480/],
      ['gobgp neighbor', /192\.168\.1\.11 64512 \d\d:\d\d:\d\d Establ/],
      ['gobgp global rib', /\*> 10\.244\.\d\.0\/24 +192\.168\.1\.11 /],
    ],
    denied: [
      [
        'iptables-save -c -t filter',
        /\[[1-9]\d*:\d+\] -A KUBE-POD-FW-\w{16} .*"rule to DROP traffic destined for POD name:on-worker-2 namespace: default".* -j DROP/,
      ],
      ['iptables-save -t filter', /-A KUBE-ROUTER-FORWARD -d \S+ .*POD name:on-worker-2.* -j KUBE-POD-FW-\w{16}/],
    ],
  },
  weave: {
    arguments: ['--cni', 'weave'],
    mtuBytes: 1376,
    route: /10\.32\.0\.0\/12 dev weave proto kernel scope link src 10\.\d+\.\d+\.\d+/,
    device: 'vxlan-6784',
    filter: 'icmp',
    onTheWire: /IP 10\.\d+\.\d+\.\d+ > 10\.\d+\.\d+\.\d+: ICMP echo request/,
    shows: [
      ['ip link show vethwe-bridge', /vethwe-bridge@.* mtu 1376 .*master weave/],
      ['weave status', /Status: ready\n +Range: 10\.32\.0\.0\/12/],
      ['weave status connections', /(<-|->) 192\.168\.1\.11:6783 +established fastdp .*\(worker-2\) mtu=1376/],
      ['cat /etc/cni/net.d/10-weave.conflist', /"type": "weave-net"/],
    ],
  },
};

const PODS = ['worker-1', 'worker-2']
  .map(
    (node) => `
apiVersion: v1
kind: Pod
metadata: { name: on-${node}, labels: { app: probe } }
spec: { nodeName: ${node}, containers: [{ name: c, image: nicolaka/netshoot, command: [sleep, infinity] }] }
---`,
  )
  .join('');
const DENY = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: deny }
spec: { podSelector: { matchLabels: { app: probe } }, policyTypes: [Ingress] }
`;
const ICMP_HEADERS_BYTES = 28;

describe.each(Object.entries(PLUGINS))('%s', (_, plugin) => {
  let cluster: TestCluster | undefined;
  let far = '';
  beforeAll(async () => {
    cluster = await TestCluster.start({ nodes: 2, arguments: plugin.arguments });
    await cluster?.apply(PODS);
    await cluster?.kubectlOut(['wait', 'pod', '-l', 'app=probe', '--for=condition=Ready', '--timeout=120s']);
    far = (await cluster?.kubectlOut(['get', 'pod', 'on-worker-2', '-o', 'jsonpath={.status.podIP}'])) ?? '';
  });
  afterAll(async () => {
    await cluster?.down();
  });

  const onNode = async (...command: string[]) =>
    (await cluster!.podwire(['node', 'exec', 'worker-1', '--', ...command])).stdout;
  const ping = async (bytes: number, seconds = 10) =>
    await cluster!.kubectl([
      'exec',
      'on-worker-1',
      '--',
      ...`ping -c 1 -W ${seconds} -M do -s ${bytes} ${far}`.split(' '),
    ]);

  it('is what its README says', async (context) => {
    if (cluster === undefined) {
      context.skip('no kubectl on this machine');
      return;
    }
    await waitFor('the pods to reach each other', async () => (await ping(56)).code === 0);
    expect(await onNode('ip', 'route')).toMatch(plugin.route);
    for (const [command, shown] of plugin.shows) {
      await waitFor(`${command} to show ${shown}`, async () => shown.test(await onNode(...command.split(' '))));
    }

    expect((await ping(plugin.mtuBytes - ICMP_HEADERS_BYTES)).code).toBe(0);
    expect((await ping(plugin.mtuBytes - ICMP_HEADERS_BYTES + 1)).code).not.toBe(0);

    await onNode('sh', '-c', `tcpdump -lni ${plugin.device} -c 1 '${plugin.filter}' > /tmp/seen 2> /tmp/said &`);
    await waitFor('tcpdump to listen', async () => (await onNode('cat', '/tmp/said')).includes('listening on'));
    expect((await ping(56)).code).toBe(0);
    await waitFor('the packet to be seen', async () => plugin.onTheWire.test(await onNode('cat', '/tmp/seen')));

    if (plugin.denied === undefined) return;
    await cluster.apply(DENY);
    for (const [command, shown] of plugin.denied) {
      await waitFor(`${command} to show ${shown}`, async () => {
        await ping(56, 1);
        return shown.test((await cluster!.podwire(['node', 'exec', 'worker-2', '--', ...command.split(' ')])).stdout);
      });
    }
    expect((await ping(56, 1)).code).not.toBe(0);
  });
});
