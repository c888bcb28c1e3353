/** `cilium-dbg` as in a node's agent pod: status, endpoints, identities and the maps of the data path. */
import { formatIpv4, formatMac } from '../../../shared/wire/address.ts';
import { formatPrefix, hostPrefix } from '../../../shared/wire/ip-address.ts';
import type { CiliumProxy } from '../../datapath/cilium/cilium-proxy.ts';
import type { EndpointDirectory } from '../../datapath/cilium/endpoint-directory.ts';
import { type FlowLog, MAX_FLOWS } from '../../datapath/cilium/flow-log.ts';
import type { FqdnCache } from '../../datapath/cilium/fqdn-cache.ts';
import { RESERVED_IDENTITIES } from '../../datapath/cilium/identity.ts';
import { PROXY_PORT } from '../../datapath/cilium/proxy-namespace.ts';
import { labelLines } from '../../datapath/cilium/security-labels.ts';
import type { CiliumNetwork } from '../../datapath/network/cilium-network.ts';
import type { NodeDatapath } from '../../datapath/path.ts';
import { formatFrontends } from '../../datapath/show/bpf.ts';
import { endpointId } from './endpoint-id.ts';
import { endpointState, endpointsJson, identitiesJson } from './endpoint-json.ts';
import { fqdnCacheClean, fqdnCacheJson, fqdnCacheList } from './fqdn-commands.ts';
import { identityLabels } from './identity-labels.ts';
import { bpfPolicyGet, engineOf, redirectsOf } from './policy-maps.ts';
import type { PolicyRepository } from './policy-repository.ts';
import { nodeList, serviceList } from './service-list.ts';
import { textTable } from './text-table.ts';

export interface CiliumView {
  readonly datapath: NodeDatapath;
  readonly network: CiliumNetwork;
  readonly directory: EndpointDirectory;
  readonly flows: FlowLog;
  readonly names: FqdnCache;
  readonly proxy: CiliumProxy;
  readonly repository: PolicyRepository;
  /** Addresses in use, and there are. */
  readonly ipam: { readonly size: number; readonly capacity: number };
}

const LAST_PROXY_PORT = 20_000;

const COMMANDS: Readonly<Record<string, (view: CiliumView) => string>> = {
  status,
  'endpoint list': endpointList,
  'endpoint list -o json': (view) => endpointsJson(view),
  'identity list': identityList,
  'identity list -o json': (view) => identitiesJson(view),
  'policy get': ({ repository }) => repository.text,
  'service list': serviceList,
  'node list': nodeList,
  'encrypt status': ({ network }) => encryptStatus(network),
  'bpf endpoint list': bpfEndpoints,
  'bpf ipcache list': bpfIpCache,
  'bpf tunnel list': bpfTunnels,
  'fqdn cache list': (view) => fqdnCacheList(view, Date.now()),
  'fqdn cache list -o json': (view) => fqdnCacheJson(view, Date.now()),
  'fqdn cache clean': fqdnCacheClean,
  'fqdn cache clean --force': fqdnCacheClean,
  'bpf lb list': ({ datapath }) => formatFrontends(datapath.rules),
};

/** Commands that want a number behind them. */
const COMMANDS_OF_ONE: Readonly<Record<string, (view: CiliumView, wanted: string) => string>> = {
  'bpf policy get': bpfPolicyGet,
  'endpoint get': endpointsJson,
  'identity get': identitiesJson,
};

export function ciliumDbg(view: CiliumView, words: readonly string[]): string {
  const [last = ''] = words.slice(-1);
  const command = COMMANDS[words.join(' ')];
  if (command !== undefined) return command(view);
  const ofOne = COMMANDS_OF_ONE[words.slice(0, -1).join(' ')];
  if (ofOne !== undefined) return ofOne(view, last);
  if (words.length === 0 || ['help', '-h', '--help'].includes(last)) return usage();
  return `Error: unknown command "${words.join(' ')}" for "cilium-dbg"\n${usage()}`;
}

function usage(): string {
  const names = [...Object.keys(COMMANDS), ...Object.keys(COMMANDS_OF_ONE).map((name) => `${name} ID`)].sort();
  return `Usage:\n${names.map((name) => `  cilium-dbg ${name}\n`).join('')}`;
}

function status(view: CiliumView): string {
  const { datapath, network, flows, ipam } = view;
  const { bpf } = datapath.rules.ipv4;
  const isTunnel = network.routing === 'vxlan' || network.routing === 'geneve';
  const routing = isTunnel ? `Tunnel [${network.routing}]` : 'Native';
  const cidr = network.podCidr === null ? 'none' : formatPrefix(network.podCidr);
  const rows = [
    ['KVStore:', 'Disabled'],
    [
      'KubeProxyReplacement:',
      bpf === null ? 'False' : `True   [eth0   ${formatIpv4(datapath.internalIp)} (Direct Routing)]`,
    ],
    ['Host firewall:', 'Disabled'],
    ['CNI Chaining:', 'none'],
    ['Cilium:', 'Ok   OK'],
    ['IPAM:', `IPv4: ${ipam.size}/${ipam.capacity} allocated from ${cidr}`],
    ['Routing:', `Network: ${routing}   Host: Legacy`],
    ['Masquerading:', 'IPTables [IPv4: Enabled, IPv6: Disabled]'],
    ['Proxy Status:', proxyStatus(view)],
    ['Hubble:', `Ok   Current/Max Flows: ${flows.size}/${MAX_FLOWS}`],
    ['Encryption:', encryption(network)],
  ];
  return textTable(rows);
}

function proxyStatus(view: CiliumView): string {
  const ip = formatIpv4(view.network.router);
  return `OK, ip ${ip}, ${redirectsOf(view)} redirects active on ports ${PROXY_PORT}-${LAST_PROXY_PORT}, Envoy: embedded`;
}

function encryption({ wireguard }: CiliumNetwork): string {
  if (wireguard === null) return 'Disabled';
  const { name, publicKey, listenPort } = wireguard;
  const peers = wireguard.listPeers().length;
  return `Wireguard   [NodeEncryption: Disabled, ${name} (Pubkey: ${publicKey}, Port: ${listenPort}, Peers: ${peers})]`;
}

function encryptStatus({ wireguard }: CiliumNetwork): string {
  if (wireguard === null) return 'Encryption: Disabled\n';
  const { name, publicKey, listenPort } = wireguard;
  const peers = wireguard.listPeers().length;
  return `Encryption: Wireguard\nInterface: ${name}\n\tPublic key: ${publicKey}\n\tNumber of peers: ${peers}\n\tListen port: ${listenPort}\n`;
}

function endpointList(view: CiliumView): string {
  const { datapath, directory } = view;
  const head = [
    'ENDPOINT',
    'POLICY (ingress)',
    'POLICY (egress)',
    'IDENTITY',
    'LABELS (source:key[=value])',
    'IPv4',
    'STATUS',
  ];
  const enforcement = ['', 'ENFORCEMENT', 'ENFORCEMENT', '', '', '', ''];
  const rows = directory.here().flatMap(([address, { identity }]) => {
    const said = engineOf(view)?.endpoint(address);
    const enforced = (direction: object | null | undefined): string => (direction == null ? 'Disabled' : 'Enabled');
    const [first = '', ...others] = identityLabels(directory, identity);
    return [
      [
        `${endpointId(datapath, address)}`,
        enforced(said?.ingress),
        enforced(said?.egress),
        `${identity}`,
        first,
        formatIpv4(address),
        endpointState(identity),
      ],
      ...others.map((label) => ['', '', '', '', label, '', '']),
    ];
  });
  return textTable([head, enforcement, ...rows]);
}

function identityList({ directory }: CiliumView): string {
  const reserved = Object.entries(RESERVED_IDENTITIES).map(([name, number]) => [`${number}`, `reserved:${name}`]);
  const made = directory.identities.flatMap(([number, labels]) =>
    labelLines(labels).map((label, i) => [i === 0 ? `${number}` : '', label]),
  );
  return textTable([['ID', 'LABELS'], ...reserved, ...made]);
}

function bpfEndpoints({ datapath, network }: CiliumView): string {
  const rows = [...network.ciliumHost.endpoints].map(([address, { device, podMac }]) => [
    `${formatIpv4(address)}:0`,
    `id=${endpointId(datapath, address)} sec_id=${network.ipCache.identityOf(address)} flags=0x0000 ifindex=${device.index} mac=${formatMac(podMac).toUpperCase()} nodemac=${formatMac(device.macAddress).toUpperCase()}`,
  ]);
  return textTable([['IP ADDRESS', 'LOCAL ENDPOINT INFO'], ...rows]);
}

function bpfIpCache({ network }: CiliumView): string {
  const rows = [...network.ipCache.entries()]
    .sort(([a], [b]) => a - b)
    .map(([address, identity]) => {
      const peer = network.tunnelMap.lookup(address)?.options.internalIp ?? 0;
      return [
        formatPrefix(hostPrefix(address)),
        `identity=${identity} encryptkey=0 tunnelendpoint=${formatIpv4(peer)} flags=${peer === 0 ? '<none>' : 'hastunnel'}`,
      ];
    });
  return textTable([
    ['IP PREFIX/ADDRESS', 'IDENTITY'],
    ...rows,
    ['0.0.0.0/0', 'identity=2 encryptkey=0 tunnelendpoint=0.0.0.0 flags=<none>'],
  ]);
}

function bpfTunnels({ network }: CiliumView): string {
  const rows = network.tunnelMap
    .list()
    .map(({ prefix, peer }) => [`${formatIpv4(prefix.address)}:0`, `${formatIpv4(peer.options.internalIp)}:0`]);
  return textTable([['TUNNEL', 'VALUE'], ...rows]);
}
