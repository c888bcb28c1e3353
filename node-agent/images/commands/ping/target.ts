/** Whom a ping or a traceroute is for, and from where. */
import { isIPv6 } from 'node:net';
import type { ResolveError, ResolveErrorCode } from '../../../../shared/podnet/resolver.ts';
import type { Invocation } from '../../coreutils/utility.ts';
import type { ContainerView, ProgramContext } from '../../image.ts';

export interface Target {
  /** As it was given. */
  readonly name: string;
  readonly address: string;
  /** The name was an address. */
  readonly isLiteral: boolean;
}

/** What `-4`, `-6` and the names `ping4` and `ping6` ask for. */
export function familyAsked({ name }: Invocation, options: { has(letter: string): boolean }): 4 | 6 | undefined {
  if (options.has('6') || name.endsWith('6')) return 6;
  return options.has('4') || name.endsWith('4') ? 4 : undefined;
}

/** Looks a name up; inet_aton's short forms (`127.1`) are addresses too. Throws `ResolveError`. */
export async function findTarget(
  { container, signal }: Pick<ProgramContext, 'container' | 'signal'>,
  name: string,
  family?: 4 | 6,
): Promise<Target> {
  const literal = dottedQuad(name) ?? (isIPv6(name) ? name : undefined);
  const address = await container.resolver.lookupOne(literal ?? name, signal, family);
  return { name, address, isLiteral: literal !== undefined };
}

const SENTENCES: Readonly<Record<ResolveErrorCode, string>> = {
  ENOTFOUND: 'Name or service not known',
  EAI_AGAIN: 'Temporary failure in name resolution',
  EAI_ADDRFAMILY: 'Address family for hostname not supported',
};

/** getaddrinfo's sentence. */
export function resolveSentence(error: ResolveError): string {
  return SENTENCES[error.code];
}

/** inet_aton(3): `1.2.3.4`, `127.1`, `10.1.258`, one number; decimal parts only. */
function dottedQuad(text: string): string | undefined {
  if (!/^\d+(\.\d+){0,3}$/.test(text)) return undefined;
  const parts = text.split('.').map(Number);
  const last = parts.pop() ?? 0;
  if (parts.some((part) => part > 255) || last >= 256 ** (4 - parts.length)) return undefined;
  const tail: number[] = [];
  for (let shift = 3 - parts.length; shift >= 0; shift--) tail.push(Math.floor(last / 256 ** shift) % 256);
  return [...parts, ...tail].join('.');
}

/** What `-I` names: a device or an address of the pod; undefined when it is neither. */
export async function findSource(
  container: ContainerView,
  text: string,
): Promise<{ readonly address: string; readonly device?: string } | undefined> {
  const addresses = await container.network.addresses();
  const byDevice = addresses.find(({ device }) => device === text);
  if (byDevice !== undefined) return { address: byDevice.address, device: text };
  const byAddress = addresses.find(({ address }) => address === text);
  return byAddress === undefined ? undefined : { address: byAddress.address };
}

/** The MTU of the path to an address, as the pod's kernel knows it: what was learned of it, else the device's. */
export function mtuTowards(container: ContainerView, address: string): number | undefined {
  const route = container.kernel?.run(['ip', 'route', 'get', address]).stdout ?? '';
  const learned = / mtu (\d+)/.exec(route)?.[1];
  if (learned !== undefined) return Number(learned);
  const device = / dev (\S+)/.exec(route)?.[1];
  if (device === undefined) return undefined;
  const link = container.kernel?.run(['ip', 'link', 'show', 'dev', device]).stdout ?? '';
  const mtu = / mtu (\d+)/.exec(link)?.[1];
  return mtu === undefined ? undefined : Number(mtu);
}
