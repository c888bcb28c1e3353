/** mtr's reports: `-r` and `-w` as a table, `-j`, `-C`. */
import type { Hop } from './hop.ts';

export interface NamedHop {
  /** 1 for the first. */
  readonly number: number;
  /** As it is shown: a name, an address, both, or `???`. */
  readonly host: string;
  readonly hop: Hop;
}

export interface Report {
  readonly startedMs: number;
  /** The name of the machine that asks. */
  readonly source: string;
  /** As it was given. */
  readonly target: string;
  readonly cycles: number;
  readonly packetBytes: number;
  /** The letters of `-o`. */
  readonly fields: string;
  readonly hops: readonly NamedHop[];
}

interface Field {
  readonly title: string;
  readonly width: number;
  /** Digits behind the point in a table. */
  readonly digits: number;
  readonly suffix: string;
  readonly value: (hop: Hop) => number;
}

const field = (title: string, width: number, digits: number, value: Field['value'], suffix = ''): Field => {
  return { title, width, digits, suffix, value };
};

const FIELDS: Readonly<Record<string, Field>> = {
  L: field('Loss%', 6, 1, (hop) => hop.lossPercent, '%'),
  D: field('Drop', 5, 0, (hop) => hop.sent - hop.returned),
  R: field('Rcv', 6, 0, (hop) => hop.returned),
  S: field('Snt', 6, 0, (hop) => hop.sent),
  N: field('Last', 6, 1, (hop) => hop.lastMs),
  B: field('Best', 6, 1, (hop) => hop.bestMs),
  A: field('Avg', 6, 1, (hop) => hop.averageMs),
  W: field('Wrst', 6, 1, (hop) => hop.worstMs),
  V: field('StDev', 6, 1, (hop) => hop.deviationMs),
  G: field('Gmean', 6, 1, (hop) => hop.geometricMeanMs),
  J: field('Jttr', 5, 1, (hop) => hop.jitterMs),
  M: field('Javg', 5, 1, (hop) => hop.averageJitterMs),
  X: field('Jmax', 5, 1, (hop) => hop.worstJitterMs),
  I: field('Jint', 5, 1, (hop) => hop.interarrivalJitterMs),
};
export const STANDARD_FIELDS = 'LS NABWV';
const NARROW_HOST_WIDTH = 33;
export const VERSION = '0.95';

export function isField(letter: string): boolean {
  return letter === ' ' || letter in FIELDS;
}

export function tableText(report: Report, wide: boolean): string {
  const names = [report.source, ...report.hops.map(({ host }) => host)];
  const width = wide ? Math.max(...names.map((name) => name.length)) : NARROW_HOST_WIDTH;
  const heads = [
    `HOST: ${report.source.padEnd(width)}`,
    ...report.hops.map(({ number, host }) => `${String(number).padStart(3)}.|-- ${host.padEnd(width)}`),
  ];
  const cells = [
    [...report.fields].map((letter) => FIELDS[letter]?.title.padStart(FIELDS[letter].width) ?? ' '),
    ...report.hops.map(({ hop }) => [...report.fields].map((letter) => cellText(FIELDS[letter], hop))),
  ];
  const lines = heads.map((head, at) => {
    const start = wide ? head : head.slice(0, NARROW_HOST_WIDTH);
    return start + atTheirPlaces(cells[at]!, report.fields);
  });
  return `Start: ${startText(report.startedMs)}\n${lines.join('\n')}\n`;
}

/** A cell that is too wide is written over by the next, as in the original's buffer. */
function atTheirPlaces(cells: readonly string[], fields: string): string {
  return cells
    .map((cell, at) => (at === cells.length - 1 ? cell : cell.slice(0, FIELDS[fields[at]!]?.width ?? 1)))
    .join('');
}

function cellText(shown: Field | undefined, hop: Hop): string {
  if (shown === undefined) return ' ';
  const { width, digits, suffix, value } = shown;
  return ` ${value(hop)
    .toFixed(digits)
    .padStart(width - 1 - suffix.length)}${suffix}`;
}

/** `2026-11-29T06:28:15+0000` */
function startText(startedMs: number): string {
  return `${new Date(startedMs).toISOString().slice(0, 19)}+0000`;
}

/** `-j`; real numbers have a point, as the original's library writes them. */
export function jsonText(report: Report): string {
  const real = (value: number): string => {
    const text = String(Math.round(value * 1000) / 1000);
    return text.includes('.') ? text : `${text}.0`;
  };
  const member = (letter: string, hop: Hop): string[] => {
    const shown = FIELDS[letter];
    if (shown === undefined) return [];
    const value = shown.value(hop);
    return [`"${shown.title}": ${shown.digits === 0 ? value : real(value)}`];
  };
  const hubs = report.hops.map(({ number, host, hop }) => {
    const members = [`"count": ${number}`, `"host": ${JSON.stringify(host)}`].concat(
      [...report.fields].flatMap((letter) => member(letter, hop)),
    );
    return `            {\n${members.map((text) => `                ${text}`).join(',\n')}\n            }`;
  });
  const head = {
    src: report.source,
    dst: report.target,
    tos: 0,
    tests: report.cycles,
    psize: String(report.packetBytes),
    bitpattern: '0x00',
  };
  const about = Object.entries(head).map(([name, value]) => `            "${name}": ${JSON.stringify(value)}`);
  return `{\n    "report": {\n        "mtr": {\n${about.join(',\n')}\n        },\n        "hubs": [\n${hubs.join(',\n')}\n        ]\n    }\n}\n`;
}

/** `-C` */
export function csvText(report: Report): string {
  const letters = [...report.fields];
  const titles = ['Mtr_Version', 'Start_Time', 'Status', 'Host', 'Hop', 'Ip'];
  const heading = [...titles, ...letters.map((letter) => FIELDS[letter]?.title ?? ' ')];
  const rows = report.hops.map(({ number, host, hop }) => {
    const start = [`MTR.${VERSION}`, Math.floor(report.startedMs / 1000), 'OK', report.target, number, host];
    const values = letters.map((letter) => {
      const shown = FIELDS[letter];
      return shown === undefined ? '0' : shown.value(hop).toFixed(shown.digits === 0 ? 0 : 2);
    });
    return [...start, ...values];
  });
  const text = (cells: readonly (string | number)[]): string => `${cells.join(',')}`;
  return `${text(heading)},\n${rows.map((cells) => `${text(cells)}\n`).join('')}`;
}
