/** `gobgp neighbor`, `gobgp global rib`: GoBGP's view of the BGP speaker, in the form that GoBGP 3 prints. */
import { formatIpv4 } from '../../../shared/wire/address.ts';
import { formatPrefix } from '../../../shared/wire/ip-address.ts';
import type { BgpState } from '../bgp/session.ts';
import type { BgpSpeaker } from '../bgp/speaker.ts';
import { uptime } from '../bgp/uptime.ts';

export interface GobgpView {
  readonly speaker: BgpSpeaker;
  readonly nowUs: number;
  readonly internalIp: number;
}

const USAGE = 'Error: this gobgp knows global, global rib and neighbor\n';

export function gobgp(view: GobgpView, words: readonly string[]): string {
  const [object = '', what = ''] = words.filter((word) => !word.startsWith('-'));
  // Words may be shortened as long as they are unambiguous.
  const is = (word: string, whole: string): boolean => word !== '' && whole.startsWith(word);
  if (is(object, 'neighbor')) return neighbours(view);
  if (is(object, 'global') && is(what, 'rib')) return rib(view);
  if (is(object, 'global') && what === '') return global(view);
  return USAGE;
}

const STATES: Readonly<Record<BgpState, string>> = {
  Idle: 'Idle',
  Connect: 'Connect',
  Active: 'Active',
  OpenSent: 'Sent',
  OpenConfirm: 'Confirm',
  Established: 'Establ',
};

function neighbours({ speaker, nowUs }: GobgpView): string {
  const rows = speaker
    .status()
    .map(({ address, session, sinceUs, imported }) => [
      formatIpv4(address),
      String(speaker.as),
      session.state === 'Established' ? uptime(nowUs - sinceUs) : 'never',
      STATES[session.state],
      String(imported),
    ]);
  const titles = ['Peer', 'AS', 'Up/Down', 'State', '#Received'];
  const width = (column: number): number => Math.max(...[titles, ...rows].map((row) => row[column]!.length));
  const line = ([peer, as, upDown, state, received]: readonly string[], accepted: string): string =>
    `${peer!.padEnd(width(0))} ${as!.padStart(width(1))} ${upDown!.padStart(width(2))} ` +
    `${state!.padEnd(11)} |${received!.padStart(9)} ${accepted.padStart(9)}\n`;
  return line(titles, 'Accepted') + rows.map((row) => line(row, row[4]!)).join('');
}

function rib({ speaker, nowUs, internalIp }: GobgpView): string {
  const own = speaker.announcements.map(({ prefix, sinceUs }) => ({
    prefix,
    nextHop: internalIp,
    sinceUs,
    attributes: '[{Origin: i}]',
  }));
  const learned = speaker.routes.list().flatMap(([best]) => {
    if (best === undefined) return [];
    const { prefix, attributes, sinceUs } = best;
    const preference = attributes.localPreference;
    const text = preference === undefined ? '[{Origin: i}]' : `[{Origin: i} {LocalPref: ${preference}}]`;
    return [{ prefix, nextHop: attributes.nextHop, sinceUs, attributes: text }];
  });
  const rows = [...own, ...learned].sort((a, b) => a.prefix.address - b.prefix.address);
  if (rows.length === 0) return 'Network not in table\n';
  const column = (text: string): string => text.padEnd(20);
  const lines = rows.map(({ prefix, nextHop, sinceUs, attributes }) => {
    const age = uptime(nowUs - sinceUs).padEnd(10);
    return `*> ${column(formatPrefix(prefix))} ${column(formatIpv4(nextHop))} ${column('')} ${age} ${attributes}\n`;
  });
  return `   ${column('Network')} ${column('Next Hop')} ${column('AS_PATH')} ${'Age'.padEnd(10)} Attrs\n${lines.join('')}`;
}

function global({ speaker, internalIp }: GobgpView): string {
  return `AS:        ${speaker.as}\nRouter-ID: ${formatIpv4(internalIp)}\nListening Port: 179, Addresses: ${formatIpv4(internalIp)}\n`;
}
