/** The hops of all nodes as one story: in the order of time, with the time since the start and since the hop before. */
import type { Hop } from './hop.ts';

/** Longer events, such as rules, do not widen the column. */
const MAX_EVENT_WIDTH = 48;

export interface Journey {
  /** Hops in the order of time. */
  readonly hops: readonly Hop[];
  readonly durationUs: number;
}

export function assembleJourney(hopsOfNodes: readonly (readonly Hop[])[]): Journey {
  const hops = hopsOfNodes.flat().sort((a, b) => a.timeUs - b.timeUs);
  const first = hops[0];
  const last = hops.at(-1);
  return { hops, durationUs: first === undefined || last === undefined ? 0 : last.timeUs - first.timeUs };
}

/** Without the single rules that packets matched. */
export function withoutRules({ hops, durationUs }: Journey): Journey {
  return { hops: hops.filter(({ event }) => !event.startsWith('-A ')), durationUs };
}

/** What a newcomer should see first: names, handshake, request and answer, where they enter, change and leave. */
export function essentials({ hops, durationUs }: Journey): Journey {
  const telling = hops.filter(({ stage, packet, event }) => {
    if (event.startsWith('-A ') || /\[(ACK|FIN ACK)\]/.test(packet) || packet.startsWith('ARP')) return false;
    return stage.startsWith('veth') || stage.startsWith('nat ') || /^(en|de)capsulated/.test(event);
  });
  return { hops: telling, durationUs };
}

/** One line a hop: when, how long after the one before, where, what happened, and the packet as it is then. */
export function journeyText({ hops }: Journey): string {
  const [first] = hops;
  if (first === undefined) return 'no packet was seen';
  const width = (field: 'node' | 'stage' | 'event') => Math.max(...hops.map((hop) => hop[field].length));
  const widths = { node: width('node'), stage: width('stage'), event: Math.min(MAX_EVENT_WIDTH, width('event')) };
  return hops
    .map((hop, index) => {
      const at = millisecondsText(hop.timeUs - first.timeUs).padStart(9);
      const since = `+${Math.round(hop.timeUs - (hops[index - 1] ?? first).timeUs)}`.padStart(6);
      const place = `${hop.node.padEnd(widths.node)}  ${hop.stage.padEnd(widths.stage)}`;
      return `${at} ms ${since} us  ${place}  ${hop.event.padEnd(widths.event)}  ${hop.packet}`;
    })
    .join('\n');
}

function millisecondsText(us: number): string {
  return (us / 1000).toFixed(3);
}
