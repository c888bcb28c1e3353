/** `cilium-dbg service list`, with kube-proxy replaced: the Services of the load balancer maps, and `node list`. */
import type { BpfService } from '../../../shared/rules/bpf.ts';
import { formatIpv4 } from '../../../shared/wire/address.ts';
import { formatEndpoint, formatPrefix } from '../../../shared/wire/ip-address.ts';
import type { CiliumView } from './cilium-dbg.ts';
import { textTable } from './text-table.ts';

const HEAD = ['ID', 'Frontend', 'Service Type', 'Backend'];
const NODE_HEAD = ['Name', 'IPv4 Address', 'Endpoint CIDR', 'Source'];

export function serviceList({ datapath }: CiliumView): string {
  const services = datapath.rules.ipv4.bpf?.list() ?? [];
  return textTable([HEAD, ...services.flatMap((service, i) => rowsOf(service, `${i + 1}`))]);
}

/** Each backend has a line. */
function rowsOf({ address, port, protocol, type, internal }: BpfService, id: string): string[][] {
  const suffix = `/${protocol.toUpperCase()}`;
  const frontend = `${address === 0 ? `0.0.0.0:${port}` : formatEndpoint(address, port)}${suffix}`;
  const backends = internal.map((one, i) => `${i + 1} => ${formatEndpoint(one.address, one.port)}${suffix} (active)`);
  const [first = '', ...others] = backends;
  return [[id, frontend, type, first], ...others.map((backend) => ['', '', '', backend])];
}

export function nodeList({ datapath, network }: CiliumView): string {
  const cidrOf = (podCidr: CiliumView['network']['podCidr']): string => (podCidr === null ? '' : formatPrefix(podCidr));
  const peers = datapath.peers
    .list()
    .map(({ options: { nodeName, internalIp, podCidr } }) => [
      `default/${nodeName}`,
      formatIpv4(internalIp),
      cidrOf(podCidr),
      'custom-resource',
    ]);
  const self = [`default/${datapath.nodeName}`, formatIpv4(datapath.internalIp), cidrOf(network.podCidr), 'local'];
  return textTable([NODE_HEAD, ...[self, ...peers].sort(([a = ''], [b = '']) => a.localeCompare(b))]);
}
