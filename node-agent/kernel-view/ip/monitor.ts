/** `ip monitor [all | OBJECT...] [label] [dev DEVICE]` (ip-monitor(8)): what changes, until it is interrupted. */
import type { Host } from '../../../shared/netstack/host.ts';
import type { ShownNamespace } from '../../datapath/show/namespace.ts';
import { wallClockNs } from '../../io/wall-clock.ts';
import { asctime } from '../asctime.ts';
import { type CommandOutput, failed, printed } from '../command-output.ts';
import { type FollowOn, followOn } from '../follow-on.ts';
import { type EventGroup, type NetworkEvent, NetworkEvents } from '../network-events.ts';
import { usageError } from './ip-error.ts';
import type { IpOptions } from './ip-options.ts';
import { verbOf } from './verbs.ts';
import { Words } from './words.ts';

const USAGE = `Usage: ip monitor [ all | OBJECTS ] [ FILE ] [ label ] [ all-nsid ]
                  [ dev DEVICE ]
OBJECTS :=  address | link | mroute | neigh | netconf |
            nexthop | nsid | prefix | route | rule | stats
FILE := file FILENAME`;

const GROUPS: Readonly<Record<string, EventGroup | null>> = {
  link: 'LINK',
  address: 'ADDR',
  route: 'ROUTE',
  neighbour: 'NEIGH',
  // Nothing of them changes here.
  mroute: null,
  prefix: null,
  netconf: null,
  rule: null,
  nsid: null,
  nexthop: null,
  stats: null,
};

interface MonitorRequest {
  readonly groups: ReadonlySet<EventGroup | null> | undefined;
  readonly labels: boolean;
  readonly device: string | undefined;
}

const events = new WeakMap<Host, NetworkEvents>();

function eventsOf(namespace: ShownNamespace, current: () => ShownNamespace): NetworkEvents {
  const present = events.get(namespace.host);
  if (present !== undefined) return present;
  const made = new NetworkEvents(current);
  events.set(namespace.host, made);
  return made;
}

/** It goes on behind event `after`; `current` is the namespace as it is whenever one looks. */
export function monitor(
  current: () => ShownNamespace,
  words: readonly string[],
  options: IpOptions,
  { asked, after }: FollowOn,
): CommandOutput {
  const namespace = current();
  if (words[0] === 'help') return failed(USAGE, 255);
  const request = readRequest(namespace, words);
  const source = eventsOf(namespace, current);
  const from = after ?? source.log.follow();
  source.look();
  const { events: happened, next } = source.log.since(from);
  const shown = happened.filter((event) => isWanted(event, request, options));
  const clock = options.timestamps === undefined ? undefined : wallClockNs();
  return {
    ...printed(shown.map((event) => eventText(event, request, options, clock)).join('')),
    next: followOn('ip', asked, next),
  };
}

function readRequest(namespace: ShownNamespace, given: readonly string[]): MonitorRequest {
  const words = new Words(given);
  const groups = new Set<EventGroup | null>();
  let labels = false;
  let everything = false;
  let device: string | undefined;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    const group = verbOf(Object.keys(GROUPS), word);
    if (word === 'label') labels = true;
    else if (word === 'all') {
      everything = true;
      labels = true;
    } else if (word === 'dev') device = monitoredDevice(namespace, words.value());
    else if (word !== 'all-nsid') {
      if (group === undefined) throw usageError(`Argument "${word}" is unknown, try "ip monitor help".`);
      groups.add(GROUPS[group] ?? null);
    }
  }
  return { groups: everything || groups.size === 0 ? undefined : groups, labels, device };
}

function monitoredDevice({ devices }: ShownNamespace, name: string): string {
  if (devices.some((device) => device.name === name)) return name;
  throw usageError(`Error: argument "${name}" is wrong: Device does not exist\n`);
}

function isWanted(event: NetworkEvent, { groups, device }: MonitorRequest, { family }: IpOptions): boolean {
  if (groups !== undefined && !groups.has(event.group)) return false;
  if (device !== undefined && event.device !== device) return false;
  return family === undefined || event.family === undefined || event.family === family;
}

function eventText(
  { group, removed, lines, timeUs }: NetworkEvent,
  { labels }: MonitorRequest,
  { oneLine, timestamps }: IpOptions,
  clock: ((monotonicUs: number) => bigint) | undefined,
): string {
  const time = clock === undefined ? '' : timeText(Number(clock(timeUs) / 1000n), timestamps === 'short');
  const label = labels ? `[${group}]` : '';
  return `${time}${label}${removed ? 'Deleted ' : ''}${lines.join(oneLine ? '\\' : '\n')}\n`;
}

/** `[2026-11-29T06:27:12.096326] `, or asctime's form and the microseconds on a line of their own. */
function timeText(sinceEpochUs: number, short: boolean): string {
  const time = new Date(Math.floor(sinceEpochUs / 1000));
  const microseconds = sinceEpochUs % 1_000_000;
  if (!short) return `Timestamp: ${asctime(time)} ${microseconds} usec\n`;
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const ofDay = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':');
  return `[${day}T${ofDay}.${String(microseconds).padStart(6, '0')}] `;
}
