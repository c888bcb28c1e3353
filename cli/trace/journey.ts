/**
 * The hops of all nodes as one story: in the order of time, with the time since the start and since the hop before.
 * Consecutive hops of one packet stand together under a line that names it.
 */
import type { Hop } from './hop.ts';

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

/** One line a hop; the packet is repeated only when it changed. */
export function journeyText(journey: Journey): string {
  const [first] = journey.hops;
  if (first === undefined) return 'no packet was seen';
  const widths = {
    node: Math.max(...journey.hops.map(({ node }) => node.length)),
    stage: Math.max(...journey.hops.map(({ stage }) => stage.length)),
  };
  const lines: string[] = [];
  let packet = '';
  let previousUs = first.timeUs;
  for (const hop of journey.hops) {
    if (hop.packet !== packet) lines.push(`  ${hop.packet}`);
    packet = hop.packet;
    const since = `+${Math.round(hop.timeUs - previousUs)}`.padStart(6);
    const at = millisecondsText(hop.timeUs - first.timeUs).padStart(9);
    lines.push(
      `${at} ms ${since} us  ${hop.node.padEnd(widths.node)}  ${hop.stage.padEnd(widths.stage)}  ${hop.event}`,
    );
    previousUs = hop.timeUs;
  }
  return lines.join('\n');
}

function millisecondsText(us: number): string {
  return (us / 1000).toFixed(3);
}
