/** `ip neigh add|replace|change|del|flush` (ip-neighbour(8)). */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import type { Neighbour, NeighbourState } from '../../../shared/netstack/neighbour.ts';
import type { ShownNamespace } from '../../datapath/show/namespace.ts';
import { argumentError, kernelError, rtnetlinkError, usageError } from './ip-error.ts';
import { garbage, Words } from './words.ts';

export const NEIGHBOUR_CHANGES = ['add', 'replace', 'change', 'delete'] as const;
export type NeighbourChange = (typeof NEIGHBOUR_CHANGES)[number];

const STATES = ['PERMANENT', 'REACHABLE', 'STALE', 'DELAY', 'PROBE', 'INCOMPLETE', 'FAILED'] as const;
const ASSIGNABLE = ['PERMANENT', 'REACHABLE', 'STALE'] as const;

export function changeNeighbour(namespace: ShownNamespace, change: NeighbourChange, given: readonly string[]): void {
  const { address, device, mac, state } = readNeighbour(namespace, given);
  if (address === undefined || device === undefined) throw usageError('Device and destination are required arguments.');
  const { neighbours } = namespace.host;
  const present = neighbours.lookup(device, address);
  const exists = present !== undefined && present.state !== 'FAILED';
  if (change === 'delete') {
    if (!neighbours.remove(device, address)) throw rtnetlinkError('No such file or directory');
    return;
  }
  if (change === 'add' && exists) throw rtnetlinkError('File exists');
  if (change === 'change' && present === undefined) throw rtnetlinkError('No such file or directory');
  if (mac === undefined && !exists) throw kernelError('No link layer address given.');
  const wanted = ASSIGNABLE.find((name) => name === state);
  if (wanted === undefined) throw rtnetlinkError('Invalid argument');
  neighbours.assign(device, address, mac ?? present!.macAddress, wanted);
}

interface SaidOfNeighbour {
  address?: number;
  device?: NetDevice;
  mac?: number;
  state: NeighbourState;
}

function readNeighbour(namespace: ShownNamespace, given: readonly string[]): SaidOfNeighbour {
  const words = new Words(given);
  const said: SaidOfNeighbour = { state: 'PERMANENT' };
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'dev') said.device = words.device(namespace);
    else if (word === 'lladdr') said.mac = words.mac();
    else if (word === 'nud') said.state = stateNamed(words.value());
    else if (said.address !== undefined) throw garbage('to', word);
    else said.address = new Words([word === 'to' ? words.value() : word]).address();
  }
  return said;
}

/** What a listing, or a flush, of neighbours is told to look at. */
export interface NeighbourFilter {
  /** Nothing was said. */
  readonly isEmpty: boolean;
  readonly device: NetDevice | undefined;
  readonly matches: (neighbour: Neighbour) => boolean;
}

/** `[to ADDRESS] [dev DEVICE] [nud STATE]...`, `all`. */
export function readNeighbourFilter(namespace: ShownNamespace, given: readonly string[]): NeighbourFilter {
  const words = new Words(given);
  let device: NetDevice | undefined;
  let address: number | undefined;
  const states = new Set<NeighbourState>();
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'dev') device = words.device(namespace);
    else if (word === 'nud') states.add(stateNamed(words.value()));
    else if (word === 'to') address = words.address();
    else if (word !== 'all') address = new Words([word]).address();
  }
  return {
    isEmpty: given.length === 0,
    device,
    matches: (neighbour) =>
      (device === undefined || neighbour.device === device) &&
      (address === undefined || neighbour.address === address) &&
      (states.size === 0 || states.has(neighbour.state)),
  };
}

function stateNamed(text: string): NeighbourState {
  const state = STATES.find((name) => name === text.toUpperCase());
  if (state === undefined) throw argumentError(`Error: argument "${text}" is wrong: nud state is bad\n`);
  return state;
}

/** Entries that were configured stay, unless their state was named. How many went. */
export function flushNeighbours(
  { host }: ShownNamespace,
  given: readonly string[],
  matches: NeighbourFilter['matches'],
) {
  const doomed = host.neighbours
    .list()
    .filter((neighbour) => matches(neighbour) && (neighbour.state !== 'PERMANENT' || given.includes('permanent')));
  for (const { device, address } of doomed) host.neighbours.remove(device, address);
  return doomed.length;
}
