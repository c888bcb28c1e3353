/** Faults of links for people. */
import { type Impairment, UNIMPAIRED } from '../../shared/rules/impairment.ts';
import type { LinkFault } from '../../shared/rules/link-fault.ts';
import { tableText } from '../output.ts';
import { durationText, percentText, rateText, timeText } from './units.ts';

const HEADER = [
  'FROM',
  'TO',
  'FAULT',
  'ENDS-IN',
  'SEED',
  'PASSED',
  'DELAYED',
  'DUPLICATED',
  'REORDERED',
  'CORRUPTED',
  'DROPPED',
];

export function faultTable(faults: readonly LinkFault[]): string {
  return tableText(HEADER, faults.map(row));
}

/** In the words of `tc qdisc show`: `delay 20ms 2ms loss 1%`. */
export function impairmentText(impairment: Impairment): string {
  const { partition, rateBitsPerSecond, limitPackets, limitBytes, keepOrder } = impairment;
  const limited = rateBitsPerSecond > 0;
  const parts = [
    partition ? 'partition' : '',
    delayText(impairment),
    keepOrder && impairment.jitterUs > 0 ? 'keep-order' : '',
    lossText(impairment),
    shareText('duplicate', impairment.duplicate, impairment.duplicateCorrelation),
    shareText('reorder', impairment.reorder, impairment.reorderCorrelation),
    impairment.reorder > 0 && impairment.reorderGap !== UNIMPAIRED.reorderGap ? `gap ${impairment.reorderGap}` : '',
    shareText('corrupt', impairment.corrupt, impairment.corruptCorrelation),
    limited ? `rate ${rateText(rateBitsPerSecond)} limit ${limitPackets}` : '',
    limited && limitBytes > 0 ? `limit-bytes ${limitBytes}` : '',
  ];
  return parts.filter((part) => part !== '').join(' ') || 'none';
}

function row({ from, to, impairment, remainingMs, seed, counters }: LinkFault): string[] {
  const { passed, delayed, duplicated, reordered, corrupted, dropped } = counters;
  const reasons = Object.entries(dropped);
  const total = reasons.reduce((sum, [, packets]) => sum + packets, 0);
  const detail = reasons.map(([reason, packets]) => `${reason} ${packets}`).join(', ');
  return [
    from,
    to,
    impairmentText(impairment),
    remainingMs === undefined ? '-' : durationText(remainingMs),
    ...[seed, passed, delayed, duplicated, reordered, corrupted].map(String),
    total === 0 ? '0' : `${total} (${detail})`,
  ];
}

function delayText({ delayUs, jitterUs, delayCorrelation, distribution }: Impairment): string {
  if (delayUs === 0 && jitterUs === 0) return '';
  if (jitterUs === 0) return `delay ${timeText(delayUs)}`;
  const shape = distribution === UNIMPAIRED.distribution ? '' : ` distribution ${distribution}`;
  return `delay ${timeText(delayUs)} ${timeText(jitterUs)}${correlationText(delayCorrelation)}${shape}`;
}

function lossText({ loss, lossCorrelation, burstLoss }: Impairment): string {
  if (burstLoss === null) return shareText('loss', loss, lossCorrelation);
  const { toBad, toGood, lossInBad, lossInGood } = burstLoss;
  return `loss gemodel ${[toBad, toGood, lossInBad, lossInGood].map(percentText).join(' ')}`;
}

function shareText(name: string, share: number, correlation: number): string {
  return share === 0 ? '' : `${name} ${percentText(share)}${correlationText(correlation)}`;
}

function correlationText(correlation: number): string {
  return correlation === 0 ? '' : ` ${percentText(correlation)}`;
}
