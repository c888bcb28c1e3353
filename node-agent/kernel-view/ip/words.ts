/** The words of an `ip` command, read one by one, and what iproute2 says of those that it cannot read. */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import { parseMac } from '../../../shared/wire/address.ts';
import {
  addressBits,
  familyOf,
  type IpFamily,
  type IpPrefix,
  parseAddress,
  parsePrefix,
} from '../../../shared/wire/ip-address.ts';
import { ANY_IPV6 } from '../../../shared/wire/ipv6-address.ts';
import type { ShownNamespace } from '../../datapath/show/namespace.ts';
import { argumentError, IpError, kernelError, usageError } from './ip-error.ts';

export class Words {
  private readonly words: readonly string[];
  private at = 0;

  constructor(words: readonly string[]) {
    this.words = words;
  }

  next(): string | undefined {
    return this.words[this.at++];
  }

  /** The one that an option needs. */
  value(): string {
    const word = this.next();
    if (word === undefined) throw usageError('Command line is not complete. Try option "help"');
    return word;
  }

  /** A whole number behind the option `name`. */
  number(name: string): number {
    const text = this.value();
    const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
    if (!(value <= 0xffff_ffff)) throw usageError(`Error: argument "${text}" is wrong: Invalid "${name}" value\n`);
    return value;
  }

  device(namespace: ShownNamespace): NetDevice {
    return deviceNamed(namespace, this.value());
  }

  /** An address, of `family` where one was asked for. */
  address(family?: IpFamily): number {
    const text = this.value();
    const address = parseAddress(text);
    if (address === undefined || (family !== undefined && familyOf(address) !== family)) {
      throw argumentError(`Error: ${familyWord(family, 'valid')} address is expected rather than "${text}".`);
    }
    return address;
  }

  mac(): number {
    const mac = parseMac(this.value());
    if (mac === undefined) throw kernelError('Invalid link address.');
    return mac;
  }
}

export function deviceNamed({ devices }: ShownNamespace, name: string): NetDevice {
  const device = devices.find((candidate) => candidate.name === name);
  if (device === undefined) throw new IpError(`Cannot find device "${name}"`, 1);
  return device;
}

/** `default`, `10.0.0.0/8`, `10.0.0.1` (all of its bits); `10/8` is short for `10.0.0.0/8`. */
export function readPrefix(text: string, family: IpFamily | undefined): IpPrefix {
  if (text === 'default' || text === 'any' || text === 'all') {
    return { address: family === 'ipv6' ? ANY_IPV6 : 0, prefixLength: 0 };
  }
  const prefix = prefixOf(text);
  if (prefix === undefined || (family !== undefined && familyOf(prefix.address) !== family)) {
    throw noPrefix(text, family);
  }
  return prefix;
}

export function noPrefix(text: string, family?: IpFamily): IpError {
  return argumentError(`Error: ${familyWord(family, 'any valid')} prefix is expected rather than "${text}".`);
}

function prefixOf(text: string): IpPrefix | undefined {
  const [address = '', length] = text.split('/');
  const missing = /^\d+(\.\d+){0,2}$/.test(address) ? 3 - address.replace(/[^.]/g, '').length : 0;
  const whole = address + '.0'.repeat(missing);
  if (length !== undefined) return parsePrefix(`${whole}/${length}`);
  const parsed = parseAddress(whole);
  return parsed === undefined ? undefined : { address: parsed, prefixLength: addressBits(parsed) };
}

function familyWord(family: IpFamily | undefined, otherwise: string): string {
  if (family === undefined) return otherwise;
  return family === 'ipv6' ? 'inet6' : 'inet';
}

export function garbage(before: string, word: string): IpError {
  return usageError(`Error: either "${before}" is duplicate, or "${word}" is a garbage.`);
}
