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
