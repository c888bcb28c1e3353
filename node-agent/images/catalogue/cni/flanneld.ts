/** flanneld: the backend stands in `net-conf.json` of its ConfigMap; what its CNI plugin needs to know goes into subnet.env. */
import type { ProgramContext } from '../../image.ts';
import { DaemonConfigurationError, fileText, type NetworkRequest, networkDaemon } from './network-daemon.ts';

const NET_CONF = '/etc/kube-flannel/net-conf.json';
const SUBNET_FILE = '/run/flannel/subnet.env';
const BACKENDS = ['vxlan', 'host-gw', 'wireguard', 'udp'];
/** Of the pods' devices, by backend. */
const MTU_BYTES: Readonly<Record<string, number>> = { vxlan: 1450, 'host-gw': 1500, wireguard: 1420, udp: 1472 };
/** The source files that speak of watching leases. */
const WATCHERS: Readonly<Record<string, string>> = {
  vxlan: 'vxlan_network',
  'host-gw': 'route_network',
  wireguard: 'wireguard_network',
  udp: 'udp_network_amd64',
};

export const flanneld = networkDaemon({
  request: (context): NetworkRequest => ({ plugin: 'flannel', backend: netConf(context).backend }),
  before: ({ backend }, { container }) => [
    ['main.go:231', `Created subnet manager: Kubernetes Subnet Manager - ${container.nodeName}`],
    ['main.go:479', `Found network config - Backend type: ${backend}`],
  ],
  after: ({ backend }, podCidr, context) => {
    const { network } = netConf(context);
    const gateway = podCidr.replace(/\.0\//, '.1/');
    const lines = [
      ['FLANNEL_NETWORK', network],
      ['FLANNEL_SUBNET', gateway],
      ['FLANNEL_MTU', String(MTU_BYTES[backend])],
      ['FLANNEL_IPMASQ', 'true'],
    ];
    context.container.files.mkdir('/run/flannel', { recursive: true });
    context.container.files.writeFile(SUBNET_FILE, lines.map(([name, value]) => `${name}=${value}\n`).join(''));
    return [
      ['main.go:396', `Wrote subnet file to ${SUBNET_FILE}`],
      ['main.go:400', 'Running backend.'],
      [`${WATCHERS[backend]}.go:65`, 'watching for new subnet leases'],
    ];
  },
});

function netConf(context: ProgramContext): { readonly network: string; readonly backend: string } {
  const text = fileText(context, NET_CONF);
  if (text === undefined) throw new DaemonConfigurationError(`open ${NET_CONF}: no such file or directory`);
  const value = parsed(text);
  const network = String(value.Network ?? '');
  const options = value.Backend;
  const type = typeof options === 'object' && options !== null && 'Type' in options ? String(options.Type) : 'udp';
  if (!BACKENDS.includes(type)) {
    throw new DaemonConfigurationError(`${NET_CONF}: no backend '${type}' here; there are ${BACKENDS.join(', ')}`);
  }
  return { network, backend: type };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch (error) {
    throw new DaemonConfigurationError(`${NET_CONF}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
