/** `ip addr add|replace|change|del|flush` (ip-address(8)). */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import { broadcastOf } from '../../../shared/wire/address.ts';
import { familyOf, type IpFamily, type IpPrefix, isInNetwork } from '../../../shared/wire/ip-address.ts';
import { isIpv6 } from '../../../shared/wire/ipv6-table.ts';
import type { ShownNamespace } from '../../datapath/show/namespace.ts';
import { argumentError, IpError, kernelError } from './ip-error.ts';
import { deviceNamed, garbage, readPrefix, Words } from './words.ts';

export const ADDRESS_CHANGES = ['add', 'change', 'replace', 'delete', 'flush'] as const;
export type AddressChange = (typeof ADDRESS_CHANGES)[number];

/** Said of an address, and of no consequence here but for the word behind it. */
const WITH_VALUE = new Set(['scope', 'label', 'valid_lft', 'preferred_lft', 'metric', 'proto']);
const WITHOUT_VALUE = new Set(['nodad', 'noprefixroute', 'home', 'mngtmpaddr', 'autojoin', 'optimistic']);

export function changeAddress(
  namespace: ShownNamespace,
  change: AddressChange,
  given: readonly string[],
  family: IpFamily | undefined,
): void {
  if (change === 'flush') {
    flush(namespace, given, family);
    return;
  }
  const { prefix, device, broadcast } = readAddress(namespace, given, family);
  const { host } = namespace;
  const { address, prefixLength } = prefix;
  const version = familyOf(address);
  const present = host.addresses().find((assigned) => assigned.address === address && assigned.device === device);
  if (change === 'delete') {
    if (present === undefined || present.prefixLength !== prefixLength) {
      throw kernelError(version === 'ipv6' ? 'ipv6: address not found.' : 'ipv4: Address not found.');
    }
    host.removeAddress(device, address);
  } else if (present !== undefined) {
    if (change === 'add') {
      throw kernelError(version === 'ipv6' ? 'ipv6: address already assigned.' : 'ipv4: Address already assigned.');
    }
  } else {
    if (version === 'ipv6' && !host.ipv6) throw kernelError('ipv6: IPv6 is disabled on this device.');
    host.addAddress(device, address, prefixLength, broadcast);
  }
}

interface SaidOfAddress {
  readonly prefix: IpPrefix;
  readonly device: NetDevice;
  readonly broadcast: number;
}

function readAddress(namespace: ShownNamespace, given: readonly string[], family: IpFamily | undefined): SaidOfAddress {
  const words = new Words(given);
  let prefix: IpPrefix | undefined;
  let device: NetDevice | undefined;
  let broadcast: string | undefined;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'dev') device = words.device(namespace);
    else if (word === 'brd' || word === 'broadcast') broadcast = words.value();
    else if (WITH_VALUE.has(word)) words.value();
    else if (!WITHOUT_VALUE.has(word)) {
      if (prefix !== undefined) throw garbage('local', word);
      prefix = readPrefix(word === 'local' ? words.value() : word, family);
    }
  }
  if (device === undefined) throw argumentError('Not enough information: "dev" argument is required.');
  if (prefix === undefined) throw new IpError('RTNETLINK answers: Invalid argument', 2);
  return { prefix, device, broadcast: broadcastNamed(broadcast, prefix) };
}

/** `+`: the network's last address. */
function broadcastNamed(text: string | undefined, { address, prefixLength }: IpPrefix): number {
  if (text === undefined || text === '-' || isIpv6(address)) return 0;
  return text === '+' ? broadcastOf(address, prefixLength) : new Words([text]).address('ipv4');
}

/** `flush [dev] DEVICE [to PREFIX] [scope SCOPE]` */
function flush(namespace: ShownNamespace, given: readonly string[], family: IpFamily | undefined): void {
  const { host } = namespace;
  const words = new Words(given);
  let device: NetDevice | undefined;
  let scope: string | undefined;
  let network: IpPrefix | undefined;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'scope') scope = words.value();
    else if (word === 'to') network = readPrefix(words.value(), family);
    else device = deviceNamed(namespace, word === 'dev' ? words.value() : word);
  }
  if (given.length === 0) throw argumentError('Flush requires arguments.');
  for (const assigned of host.addresses()) {
    if (device !== undefined && assigned.device !== device) continue;
    if (scope !== undefined && assigned.scope !== scope) continue;
    if (network !== undefined && !isWithin(network, assigned.address)) continue;
    if (family === undefined || familyOf(assigned.address) === family) {
      host.removeAddress(assigned.device, assigned.address);
    }
  }
}

function isWithin({ address, prefixLength }: IpPrefix, local: number): boolean {
  return familyOf(local) === familyOf(address) && isInNetwork(local, address, prefixLength);
}
