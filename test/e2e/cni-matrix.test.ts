/**
 * The same connectivity on a real cluster of every CNI plugin, with the proxy modes that fit it. By default one cell a plugin that
 * has no test of its own; `PODWIRE_MATRIX=all` runs them all.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { CniPluginName } from '../../shared/runtime/cni-plugins.ts';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';

/** What a backend promises of the way between nodes. */
interface Way {
  /** Of a packet that fits. */
  readonly mtuBytes: number;
  /** In `ip route` of worker-1. */
  readonly route: RegExp;
  /** tcpdump's filter and line of a ping, on eth0 of worker-1 or, of an overlay, on its device. */
  readonly wire: readonly [device: string, filter: string, line: RegExp];
}

interface Plugin {
  /** By backend; '' for a plugin that has none. */
  readonly ways: Readonly<Record<string, Way>>;
  /** Devices of a node, the end of a pod's cable among them. */
  readonly devices: RegExp;
  /** The cell that runs by default. */
  readonly sample?: { readonly backend: string; readonly proxyMode: string };
}

const PROXY_MODES = ['iptables', 'ipvs', 'nftables', 'ebpf'];
const PING = /IP 10\.244\.\d+\.\d+ > 10\.244\.\d+\.\d+: ICMP echo request/;
const DIRECT: Way = { mtuBytes: 1500, route: /via 192\.168\.1\.11 dev eth0/, wire: ['eth0', 'icmp', PING] };
const FABRIC: Way = { ...DIRECT, route: /10\.244\.0\.0\/16 dev eth0 proto kernel scope link src 192\.168\.1\.10/ };
const WITHIN_IP = /IP 192\.168\.1\.10 > 192\.168\.1\.11: IP 10\.244\.\d+\.\d+ > 10\.244\.\d+\.\d+: ICMP echo request/;
const overlay = (device: string, route: RegExp): Way => ({ mtuBytes: 1450, route, wire: [device, 'icmp', PING] });
const FLANNEL0: Way = {
  mtuBytes: 1472,
  route: /10\.244\.0\.0\/16 dev flannel0 proto kernel scope link src 10\.244\.\d\.0/,
  wire: ['eth0', 'udp port 8285', /IP 192\.168\.1\.10\.8285 > 192\.168\.1\.11\.8285: UDP/],
};
const CILIUM_ROUTE = /via 10\.244\.\d\.2 dev cilium_host proto kernel src 10\.244\.\d\.2 mtu 1450/;

const PLUGINS: Partial<Record<CniPluginName, Plugin>> = {
  flannel: {
    ways: { vxlan: overlay('flannel.1', /via 10\.244\.\d\.0 dev flannel\.1 onlink/), 'host-gw': DIRECT, udp: FLANNEL0 },
    devices: /: veth[0-9a-f]{8}@if2:.* master cni0/,
  },
  calico: {
    ways: {
      ipip: {
        mtuBytes: 1480,
        route: /\/26 via 192\.168\.1\.11 dev tunl0 proto bird onlink/,
        wire: ['eth0', 'ip proto 4', WITHIN_IP],
      },
      'ipip-cross-subnet': { ...DIRECT, mtuBytes: 1480 },
      none: DIRECT,
      vxlan: overlay('vxlan.calico', /via 10\.244\.\d\.0 dev vxlan\.calico onlink/),
      'vxlan-cross-subnet': { ...DIRECT, mtuBytes: 1450 },
    },
    devices: /: cali[0-9a-f]{11}@if2:/,
  },
  cilium: {
    ways: {
      vxlan: overlay('cilium_vxlan', CILIUM_ROUTE),
      geneve: { mtuBytes: 1450, route: CILIUM_ROUTE, wire: ['eth0', 'udp port 6081', /Geneve.* vni 0x[0-9a-f]+/] },
      native: DIRECT,
      wireguard: {
        mtuBytes: 1420,
        route: /10\.244\.\d\.0\/24 dev cilium_wg0 proto kernel scope link src 10\.244\.\d\.2/,
        wire: ['eth0', 'udp port 51871', /IP 192\.168\.1\.10\.51871 > 192\.168\.1\.11\.51871: /],
      },
    },
    devices: /: cilium_net@cilium_host:[\s\S]*: cilium_host@cilium_net:[\s\S]*: lxc[0-9a-f]{12}@if2:/,
    sample: { backend: 'geneve', proxyMode: 'ebpf' },
  },
  'kube-router': {
    ways: {
      'ipip-cross-subnet': { ...DIRECT, mtuBytes: 1480 },
      ipip: { mtuBytes: 1480, route: /10\.244\.\d\.0\/24 dev tun-192168111/, wire: ['eth0', 'ip proto 4', WITHIN_IP] },
      none: DIRECT,
    },
    devices: /: veth[0-9a-f]{8}@if2:.* master kube-bridge/,
  },
  weave: {
    ways: {
      fastdp: {
        mtuBytes: 1376,
        route: /10\.32\.0\.0\/12 dev weave proto kernel scope link/,
        wire: ['vxlan-6784', 'icmp', /ICMP echo request/],
      },
      sleeve: {
        mtuBytes: 1376,
        route: /10\.32\.0\.0\/12 dev weave proto kernel scope link/,
        wire: ['eth0', 'udp port 6783', /IP 192\.168\.1\.10\.6783 > 192\.168\.1\.11\.6783: UDP/],
      },
    },
    devices: /: weave: [\s\S]*: vethwepl\w+@if2:.* master weave/,
  },
  bridge: { ways: { '': DIRECT }, devices: /: veth[0-9a-f]{8}@if2:.* master cni0/ },
  'aws-vpc': {
    ways: { '': { ...FABRIC, mtuBytes: 9001 } },
    devices: /: eth0: .* mtu 9001 [\s\S]*: eth1: .* mtu 9001 [\s\S]*: eni[0-9a-f]{11}@if2: .* mtu 9001/,
    sample: { backend: '', proxyMode: 'iptables' },
  },
  azure: {
    ways: { transparent: FABRIC, overlay: FABRIC },
    devices: /: azv[0-9a-f]{11}@if2: .*\n +link\/ether aa:aa:aa:aa:aa:aa/,
    sample: { backend: 'overlay', proxyMode: 'nftables' },
  },
};

const ICMP_HEADERS_BYTES = 28;

interface Cell {
  readonly cni: CniPluginName;
  readonly backend: string;
  readonly proxyMode: string;
  readonly plugin: Plugin;
}

const cells: Cell[] = (Object.entries(PLUGINS) as [CniPluginName, Plugin][]).flatMap(([cni, plugin]) => {
  if (process.env.PODWIRE_MATRIX !== 'all')
    return plugin.sample === undefined ? [] : [{ cni, plugin, ...plugin.sample }];
  return Object.keys(plugin.ways).flatMap((backend) =>
    PROXY_MODES.map((proxyMode) => ({ cni, backend, proxyMode, plugin })),
  );
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

/** Says what they wait for, where they do. */
async function bothReady(c: TestCluster): Promise<void> {
  const pods = ['pod', 'on-worker-1', 'on-worker-2'];
  try {
    await c.kubectlOut(['wait', ...pods, '--for=condition=Ready', '--timeout=120s']);
  } catch (error) {
    const described = await c.kubectl(['describe', ...pods]);
    throw new Error(`${String(error)}\n${described.stdout}\n${c.logTails()}`, { cause: error });
  }
}

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.down();
});

describe.each(cells)(
  '--cni $cni --cni-backend $backend --proxy-mode $proxyMode',
  ({ cni, backend, proxyMode, plugin }) => {
    it('pods, Services and nodes reach each other, by the way that it promises', { timeout: 300_000 }, async ({
      skip,
    }) => {
      const chosenBackend = backend === '' ? [] : ['--cni-backend', backend];
      const chosen = ['--cni', cni, ...chosenBackend, '--proxy-mode', proxyMode];
      cluster = await TestCluster.start({ nodes: 2, arguments: chosen });
      if (cluster === undefined) return skip('no kubectl');
      const c = cluster;
      await c.apply(MANIFEST);
      await bothReady(c);
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
      const seen = () => inPod('curl', '-s', '--max-time', '5', `http://${far}:8080/clientip`);
      await waitFor('the server to see the pod', async () => (await seen()).stdout.startsWith(`${near}:`));
      for (const [address, pod] of [
        [near, 'on-worker-1'],
        [far, 'on-worker-2'],
      ] as const) {
        const ask = () => onNode('curl', '-s', '--max-time', '5', `http://${address}:8080/hostname`);
        await waitFor(`${pod} to answer its node`, async () => (await ask()) === pod);
      }

      const { mtuBytes, route, wire } = plugin.ways[backend]!;
      const payload = mtuBytes - ICMP_HEADERS_BYTES;
      const ping = async (bytes: number) =>
        (await inPod('ping', '-c', '1', '-W', '10', '-M', 'do', '-s', String(bytes), far)).code;
      expect(await ping(payload)).toBe(0);
      expect(await ping(payload + 1)).not.toBe(0);

      expect(await onNode('ip', 'route')).toMatch(route);
      expect(await onNode('ip', 'link')).toMatch(plugin.devices);

      const [device, filter, line] = wire;
      await onNode('sh', '-c', `tcpdump -lni ${device} -c 1 '${filter}' > /tmp/seen 2> /tmp/said &`);
      await waitFor('tcpdump to listen', async () => (await onNode('cat', '/tmp/said')).includes('listening on'));
      expect(await ping(56)).toBe(0);
      await waitFor('the packet to be seen', async () => {
        // The first may have gone another way: weave tries its ways while it sends.
        await ping(56);
        return line.test(await onNode('cat', '/tmp/seen'));
      });
    });
  },
);
