/** `birdc show protocols`, `birdc show route`: BIRD's view of the BGP speaker, in the form that BIRD 1.6 prints. */
import { formatIpv4 } from '../../../shared/wire/address.ts';
import { formatPrefix } from '../../../shared/wire/ip-address.ts';
import type { BgpRoute } from '../bgp/routes.ts';
import type { BgpSpeaker, PeerStatus } from '../bgp/speaker.ts';
import { uptime } from '../bgp/uptime.ts';

export interface BirdView {
  readonly speaker: BgpSpeaker;
  readonly nowUs: number;
  readonly internalIp: number;
}

const READY = 'BIRD v0.3.3+birdv1.6.8 ready.\n';

export function birdc(view: BirdView, words: readonly string[]): string {
  const [show = '', what = '', ...rest] = words;
  // BIRD takes every word by its beginning, as in `birdc s p`.
  const is = (word: string, whole: string): boolean => word !== '' && whole.startsWith(word);
  if (is(show, 'show') && is(what, 'protocols'))
    return (
      READY +
      protocols(
        view,
        rest.some((word) => is(word, 'all')),
      )
    );
  if (is(show, 'show') && is(what, 'route')) return READY + routes(view);
  if (is(show, 'show') && is(what, 'status')) return READY + status(view);
  return `${READY}syntax error: this birdc knows show protocols [all], show route and show status\n`;
}

function protocols({ speaker, nowUs }: BirdView, all: boolean): string {
  const rows = speaker.status().map((peer) => {
    const { name, session, sinceUs } = peer;
    const isUp = session.state === 'Established';
    const state = isUp ? 'up' : 'start';
    const info = session.lastError === '' ? session.state : `${session.state}  ${session.lastError}`;
    const row = [
      name.padEnd(20),
      'BGP     ',
      'master  ',
      state.padEnd(6),
      uptime(nowUs - sinceUs).padEnd(11),
      info,
    ].join(' ');
    return all ? `${row.trimEnd()}\n${details(peer)}` : row.trimEnd();
  });
  return [`${'name'.padEnd(20)} proto    table    state  since       info`, ...rows].join('\n').concat('\n');
}

function details({ address, session, imported }: PeerStatus): string {
  return [
    `  Neighbor address: ${formatIpv4(address)}`,
    `  Hold timer:       ${session.holdTimeSeconds}`,
    `  Routes:         ${imported} imported`,
    '',
  ].join('\n');
}

function routes({ speaker }: BirdView): string {
  const own = speaker.announcements.map(
    ({ prefix }) => `${formatPrefix(prefix).padEnd(18)} blackhole [static1] * (200)`,
  );
  const learned = speaker.routes.list().map(([best]) => (best === undefined ? '' : routeLine(speaker, best)));
  return [...own, ...learned].map((line) => `${line}\n`).join('');
}

function routeLine(speaker: BgpSpeaker, { prefix, attributes, from }: BgpRoute): string {
  const name = speaker.status().find(({ address }) => address === from)?.name ?? '';
  const through = attributes.nextHop === from ? '' : ` from ${formatIpv4(from)}`;
  return `${formatPrefix(prefix).padEnd(18)} via ${formatIpv4(attributes.nextHop)} on eth0 [${name}${through}] * (100/0) [i]`;
}

function status({ internalIp }: BirdView): string {
  return `BIRD v0.3.3+birdv1.6.8\nRouter ID is ${formatIpv4(internalIp)}\nDaemon is up and running\n`;
}
