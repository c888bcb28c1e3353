/**
 * The same connectivity on a real cluster of every CNI plugin, with the proxy modes that fit it. By default one cell a plugin that
 * has no test of its own; `PODWIRE_MATRIX=all` runs them all. What leaves a node in which form is checked in `test/flow/networks`.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { backendsOf, type CniPluginName } from '../../shared/runtime/cni-plugins.ts';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';

interface Plugin {
  /** Of a packet that fits between nodes, by backend. */
  readonly mtuBytes: Readonly<Record<string, number>>;
  /** A route to the pods of the other node, by backend. */
  readonly route: Readonly<Record<string, RegExp>>;
  /** Devices of a node, the end of a pod's cable among them. */
  readonly devices: RegExp;
  /** The cell that runs by default. */
  readonly sample?: { readonly backend: string; readonly proxyMode: string };
}

const PROXY_MODES = ['iptables', 'ipvs', 'nftables', 'ebpf'];
const DIRECT = /via 192\.168\.1\.11 dev eth0/;

const PLUGINS: Partial<Record<CniPluginName, Plugin>> = {
  flannel: {
    mtuBytes: { vxlan: 1450, 'host-gw': 1500 },
    route: { vxlan: /via 10\.244\.\d\.0 dev flannel\.1 onlink/, 'host-gw': DIRECT },
    devices: /: veth[0-9a-f]{8}@if2:.* master cni0/,
  },
  calico: {
    mtuBytes: { ipip: 1480, 'ipip-cross-subnet': 1480, none: 1500, vxlan: 1450 },
    route: {
      ipip: /\/26 via 192\.168\.1\.11 dev tunl0 proto bird onlink/,
      'ipip-cross-subnet': DIRECT,
      none: DIRECT,
      vxlan: /via 10\.244\.\d\.0 dev vxlan\.calico onlink/,
    },
    devices: /: cali[0-9a-f]{11}@if2:/,
  },
  cilium: {
    mtuBytes: { vxlan: 1450, geneve: 1450, native: 1500 },
    route: {
      vxlan: /via 10\.244\.\d\.2 dev cilium_host proto kernel src 10\.244\.\d\.2 mtu 1450/,
      geneve: /via 10\.244\.\d\.2 dev cilium_host proto kernel src 10\.244\.\d\.2 mtu 1450/,
      native: DIRECT,
    },
    devices: /: cilium_net@cilium_host:[\s\S]*: cilium_host@cilium_net:[\s\S]*: lxc[0-9a-f]{12}@if2:/,
    sample: { backend: 'vxlan', proxyMode: 'ebpf' },
  },
};

interface Cell {
  readonly cni: CniPluginName;
  readonly backend: string;
  readonly proxyMode: string;
  readonly plugin: Plugin;
}

const cells: Cell[] = (Object.entries(PLUGINS) as [CniPluginName, Plugin][]).flatMap(([cni, plugin]) => {
  if (process.env.PODWIRE_MATRIX !== 'all')
    return plugin.sample === undefined ? [] : [{ cni, plugin, ...plugin.sample }];
  return backendsOf(cni).flatMap((backend) => PROXY_MODES.map((proxyMode) => ({ cni, backend, proxyMode, plugin })));
});

const MANIFEST = `
apiVersion: v1
kind: Service
metadata: { name: far }
spec:
  selector: { app: on-worker-2 }
  ports:
    - { name: http, port: 80, targetPort: 8080 }
    - { name: udp, port: 81, targetPort: 8081, protocol: UDP }
---
${['worker-1', 'worker-2']
  .map(
    (node) => `
apiVersion: v1
kind: Pod
metadata: { name: on-${node}, labels: { app: on-${node} } }
spec:
  nodeName: ${node}
  containers:
    - { name: c, image: agnhost, args: [netexec, --http-port=8080, --udp-port=8081] }
    - { name: tools, image: nicolaka/netshoot, command: [sleep, infinity] }
---`,
  )
  .join('')}`;

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.down();
}, 60_000);

describe.each(cells)(
  '--cni $cni --cni-backend $backend --proxy-mode $proxyMode',
  ({ cni, backend, proxyMode, plugin }) => {
    it('pods, Services and nodes reach each other, by the way that it promises', { timeout: 300_000 }, async ({
      skip,
    }) => {
      const chosen = ['--cni', cni, '--cni-backend', backend, '--proxy-mode', proxyMode];
      cluster = await TestCluster.start({ nodes: 2, arguments: chosen });
      if (cluster === undefined) return skip('no kubectl');
      const c = cluster;
      await c.apply(MANIFEST);
      await c.kubectlOut(['wait', 'pod', 'on-worker-1', 'on-worker-2', '--for=condition=Ready', '--timeout=60s']);
      const address = (pod: string) => c.kubectlOut(['get', 'pod', pod, '-o', 'jsonpath={.status.podIP}']);
      const [near, far] = [await address('on-worker-1'), await address('on-worker-2')];
      const inPod = (...command: string[]) => c.kubectl(['exec', 'on-worker-1', '-c', 'tools', '--', ...command]);
      const onNode = async (...command: string[]) =>
        (await c.podwire(['node', 'exec', 'worker-1', '--', ...command])).stdout;
      const connect = (target: string, protocol: string) =>
        c.kubectl([
          'exec',
          'on-worker-1',
          '-c',
          'c',
          '--',
          '/agnhost',
          'connect',
          target,
          `--protocol=${protocol}`,
          '--timeout=2s',
        ]);
      const reached = async (target: string, protocol = 'tcp') => {
        await waitFor(`${target} over ${protocol}`, async () => (await connect(target, protocol)).code === 0);
      };

      await reached(`${far}:8080`);
      await reached(`${far}:8081`, 'udp');
      await reached('far.default.svc.cluster.local:80');
      await reached('far.default.svc.cluster.local:81', 'udp');
      expect((await inPod('curl', '-s', '--max-time', '5', `http://${far}:8080/clientip`)).stdout).toMatch(
        new RegExp(`^${near}:`),
      );
      expect(await onNode('curl', '-s', '--max-time', '5', `http://${near}:8080/hostname`)).toBe('on-worker-1');
      expect(await onNode('curl', '-s', '--max-time', '5', `http://${far}:8080/hostname`)).toBe('on-worker-2');

      const payload = plugin.mtuBytes[backend]! - 28;
      const ping = async (bytes: number) =>
        (await inPod('ping', '-c', '1', '-W', '2', '-M', 'do', '-s', String(bytes), far)).code;
      expect(await ping(payload)).toBe(0);
      expect(await ping(payload + 1)).not.toBe(0);

      expect(await onNode('ip', 'route')).toMatch(plugin.route[backend]!);
      expect(await onNode('ip', 'link')).toMatch(plugin.devices);
    });
  },
);
