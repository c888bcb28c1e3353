/** `birdc show protocols`, `birdc show route`: BIRD's view of the BGP speaker and of the kernel's table, in the form that BIRD 1.6 prints. */
import type { Route } from '../../../shared/netstack/route.ts';
import { formatIpv4 } from '../../../shared/wire/address.ts';
import {
  formatPrefix,
  type IpPrefix,
  isInNetwork,
  parseAddress,
  parsePrefix,
} from '../../../shared/wire/ip-address.ts';
import { isIpv6 } from '../../../shared/wire/ipv6-table.ts';
import type { BgpRoute } from '../bgp/routes.ts';
import type { BgpSpeaker, PeerStatus } from '../bgp/speaker.ts';
import { uptime } from '../bgp/uptime.ts';

export interface BirdView {
  readonly speaker: BgpSpeaker;
  readonly nowUs: number;
  /** Of BIRD itself. */
  readonly startedUs: number;
  readonly internalIp: number;
  /** The kernel's. */
  readonly routes: readonly Route[];
}

const READY = 'BIRD v0.3.3+birdv1.6.8 ready.\n';
const INTERNAL: Readonly<Record<string, string>> = {
  static1: 'Static',
  kernel1: 'Kernel',
  device1: 'Device',
  direct1: 'Direct',
};

export function birdc(view: BirdView, words: readonly string[]): string {
  const [show = '', what = '', ...rest] = words;
  if (isWord(show, 'show') && isWord(what, 'protocols')) return READY + protocols(view, rest);
  if (isWord(show, 'show') && isWord(what, 'route')) return READY + routes(view, rest);
  if (isWord(show, 'show') && isWord(what, 'status')) return READY + status(view);
  return `${READY}syntax error: this birdc knows show protocols [all] [NAME], show route [all] [for ADDRESS | PREFIX | protocol NAME] and show status\n`;
}

/** BIRD takes every word by its beginning, as in `birdc s p`. */
function isWord(word: string, whole: string): boolean {
  return word !== '' && whole.startsWith(word);
}

function protocols(view: BirdView, words: readonly string[]): string {
  const { speaker, nowUs, startedUs } = view;
  const isAll = words[0] !== undefined && isWord(words[0], 'all');
  const [wanted] = isAll ? words.slice(1) : words;
  const internal = Object.entries(INTERNAL).map(([name, protocol]) => ({
    name,
    row: protocolRow(name, protocol, 'up', nowUs - startedUs, ''),
    details: '',
  }));
  const peers = speaker.status().map((peer) => {
    const { name, session, sinceUs } = peer;
    const state = session.state === 'Established' ? 'up' : 'start';
    const info = session.lastError === '' ? session.state : `${session.state}  ${session.lastError}`;
    return { name, row: protocolRow(name, 'BGP', state, nowUs - sinceUs, info), details: details(view, peer) };
  });
  const shown = [...internal, ...peers].filter(({ name }) => wanted === undefined || name === wanted);
  if (shown.length === 0) return `syntax error, there is no protocol ${wanted}\n`;
  const lines = shown.map((protocol) => `${protocol.row}\n${isAll ? `${protocol.details}\n` : ''}`);
  return `${'name'.padEnd(20)} proto    table    state  since       info\n${lines.join('')}`;
}

function protocolRow(name: string, protocol: string, state: string, elapsedUs: number, info: string): string {
  const cells = [name.padEnd(20), protocol.padEnd(8), 'master  ', state.padEnd(6), uptime(elapsedUs).padEnd(11), info];
  return cells.join(' ').trimEnd();
}

function details({ speaker, internalIp }: BirdView, peer: PeerStatus): string {
  const { address, as, session, imported, exported } = peer;
  const isUp = session.state === 'Established';
  return [
    '  Preference:     100',
    '  Input filter:   ACCEPT',
    '  Output filter:  calico_export_to_bgp_peers',
    `  Routes:         ${imported} imported, ${exported} exported`,
    `  BGP state:          ${session.state}`,
    `    Neighbor address: ${formatIpv4(address)}`,
    `    Neighbor AS:      ${as}`,
    ...(isUp ? [`    Neighbor ID:      ${formatIpv4(session.peerIdentifier)}`] : []),
    ...(isUp ? [`    Session:          ${as === speaker.as ? 'internal' : 'external'} multihop AS4`] : []),
    ...(isUp ? [`    Source address:   ${formatIpv4(internalIp)}`] : []),
    ...(isUp ? [`    Hold timer:       ${session.holdTimeSeconds}`] : []),
    ...(session.lastError === '' ? [] : [`    Last error:       ${session.lastError}`]),
    '',
  ].join('\n');
}

interface Shown {
  readonly prefix: IpPrefix;
  readonly protocol: string;
  readonly line: string;
  /** Of `show route all`. */
  readonly attributes: readonly string[];
}

function routes(view: BirdView, words: readonly string[]): string {
  const isAll = words.some((word) => word === 'all');
  const rest = words.filter((word) => word !== 'all');
  const all = [...kernelRoutes(view), ...ownRoutes(view), ...learnedRoutes(view)];
  const shown = wantedOf(all, rest);
  if (shown === undefined) return 'syntax error, expected for ADDRESS, PREFIX or protocol NAME\n';
  if (shown.length === 0 && rest.length > 0 && rest[0] !== 'protocol') return 'Network not in table\n';
  return shown.map(({ line, attributes }) => `${[line, ...(isAll ? attributes : [])].join('\n')}\n`).join('');
}

/** Undefined for words that mean nothing. */
function wantedOf(all: readonly Shown[], [first, second = '']: readonly string[]): readonly Shown[] | undefined {
  if (first === undefined) return all;
  if (isWord(first, 'protocol')) return all.filter(({ protocol }) => protocol === second);
  if (isWord(first, 'for')) {
    const address = parseAddress(second.split('/')[0] ?? '');
    if (address === undefined) return undefined;
    const covering = all.filter(({ prefix }) => isInNetwork(address, prefix.address, prefix.prefixLength));
    const longest = Math.max(...covering.map(({ prefix }) => prefix.prefixLength));
    return covering.filter(({ prefix }) => prefix.prefixLength === longest);
  }
  const exact = parsePrefix(first);
  return exact && all.filter(({ prefix }) => formatPrefix(prefix) === formatPrefix(exact));
}

/** What BIRD learned of the kernel, and of the devices' networks; its own routes there are no news. */
function kernelRoutes({ routes, nowUs, startedUs }: BirdView): Shown[] {
  const since = uptime(nowUs - startedUs);
  const foreign = routes.filter(
    ({ destination, protocol, type }) => !isIpv6(destination) && protocol !== 'bird' && type !== 'local',
  );
  return foreign.map(({ destination: address, prefixLength, gateway, device, type, protocol: maker }) => {
    const [protocol, preference] = maker === 'kernel' ? ['direct1', 240] : ['kernel1', 10];
    const on =
      device === null ? type : gateway === 0 ? `dev ${device.name}` : `via ${formatIpv4(gateway)} on ${device.name}`;
    const prefix = { address, prefixLength };
    const line = `${formatPrefix(prefix).padEnd(18)} ${on} [${protocol} ${since}] * (${preference})`;
    return { prefix, protocol, line, attributes: ['\tType: inherit unicast univ'] };
  });
}

function ownRoutes({ speaker, nowUs }: BirdView): Shown[] {
  return speaker.announcements.map(({ prefix, sinceUs }) => ({
    prefix,
    protocol: 'static1',
    line: `${formatPrefix(prefix).padEnd(18)} blackhole [static1 ${uptime(nowUs - sinceUs)}] * (200)`,
    attributes: ['\tType: static unicast univ'],
  }));
}

/** All ways to a prefix, the best first. */
function learnedRoutes({ speaker, nowUs }: BirdView): Shown[] {
  const peers = speaker.status();
  return speaker.routes.list().flatMap((ways) =>
    ways.map((route, i) => {
      const protocol = peers.find(({ address }) => address === route.from)?.name ?? '';
      return { prefix: route.prefix, protocol, ...learnedRoute(route, protocol, i === 0, nowUs) };
    }),
  );
}

function learnedRoute({ prefix, attributes, from, sinceUs }: BgpRoute, name: string, isBest: boolean, nowUs: number) {
  const { nextHop, asPath, origin, localPreference = 100, originatorId, clusterList = [] } = attributes;
  const through = nextHop === from ? '' : ` from ${formatIpv4(from)}`;
  const way = `via ${formatIpv4(nextHop)} on eth0 [${name} ${uptime(nowUs - sinceUs)}${through}]`;
  const path = asPath.length === 0 ? '[i]' : `[AS${asPath.at(-1)}${ORIGINS[origin]![0]}]`;
  return {
    line: `${formatPrefix(prefix).padEnd(18)} ${way}${isBest ? ' *' : ''} (100/0) ${path}`,
    attributes: [
      '\tType: BGP unicast univ',
      `\tBGP.origin: ${ORIGINS[origin]![1]}`,
      `\tBGP.as_path: ${asPath.join(' ')}`,
      `\tBGP.next_hop: ${formatIpv4(nextHop)}`,
      `\tBGP.local_pref: ${localPreference}`,
      ...(originatorId === undefined ? [] : [`\tBGP.originator_id: ${formatIpv4(originatorId)}`]),
      ...(clusterList.length === 0 ? [] : [`\tBGP.cluster_list: ${clusterList.map(formatIpv4).join(' ')}`]),
    ],
  };
}

const ORIGINS = [
  ['i', 'IGP'],
  ['e', 'EGP'],
  ['?', 'Incomplete'],
] as const;

function status({ internalIp }: BirdView): string {
  return `BIRD v0.3.3+birdv1.6.8\nRouter ID is ${formatIpv4(internalIp)}\nDaemon is up and running\n`;
}
