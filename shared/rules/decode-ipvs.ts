/** A change of IPVS' tables from a message. */
import { decodePrefix } from './decode-rule.ts';
import {
  address,
  asFields,
  asList,
  type Fields,
  integer,
  oneOf,
  optionalAddress,
  optionalInteger,
} from './decode-value.ts';
import {
  IP_SET_TYPES,
  type IpSetChange,
  type IpSetEntry,
  type IpvsChange,
  type RealServer,
  SCHEDULERS,
  type VirtualServer,
  type VirtualServerId,
} from './ipvs.ts';
import type { ServiceProtocol } from './service-key.ts';

const MAX_UINT32 = 0xffff_ffff;
const MAX_PORT = 65_535;
const MAX_WEIGHT = 65_535;
const PROTOCOLS: readonly ServiceProtocol[] = ['tcp', 'udp'];

/** Throws RulesDecodeError. */
export function decodeIpvsChange(value: unknown, path: string): IpvsChange {
  const fields = asFields(value, path);
  const ipSets = asFields(fields.ipSets ?? {}, `${path}.ipSets`);
  return {
    set: optionalList(fields.set, `${path}.set`, decodeVirtualServer),
    delete: optionalList(fields.delete, `${path}.delete`, (id, at) => decodeId(asFields(id, at), at)),
    ipSets: Object.fromEntries(
      Object.entries(ipSets).map(([name, set]) => [name, decodeIpSet(set, `${path}.ipSets.${name}`)]),
    ),
  };
}

function optionalList<T>(value: unknown, path: string, decode: (item: unknown, path: string) => T): T[] | undefined {
  return value === undefined ? undefined : asList(value, path).map((item, i) => decode(item, `${path}[${i}]`));
}

function decodeId(fields: Fields, path: string): VirtualServerId {
  return {
    protocol: oneOf(fields, 'protocol', path, PROTOCOLS),
    address: address(fields, 'address', path),
    port: integer(fields, 'port', path, 1, MAX_PORT),
  };
}

function decodeVirtualServer(value: unknown, path: string): VirtualServer {
  const fields = asFields(value, path);
  return {
    ...decodeId(fields, path),
    scheduler: oneOf(fields, 'scheduler', path, SCHEDULERS),
    persistentSeconds: optionalInteger(fields, 'persistentSeconds', path, 1, MAX_UINT32),
    servers: optionalList(fields.servers, `${path}.servers`, decodeRealServer) ?? [],
  };
}

function decodeRealServer(value: unknown, path: string): RealServer {
  const fields = asFields(value, path);
  return {
    address: address(fields, 'address', path),
    port: integer(fields, 'port', path, 1, MAX_PORT),
    weight: integer(fields, 'weight', path, 0, MAX_WEIGHT),
  };
}

function decodeIpSet(value: unknown, path: string): IpSetChange {
  const fields = asFields(value, path);
  return {
    type: oneOf(fields, 'type', path, IP_SET_TYPES),
    add: optionalList(fields.add, `${path}.add`, decodeEntry),
    remove: optionalList(fields.remove, `${path}.remove`, decodeEntry),
  };
}

function decodeEntry(value: unknown, path: string): IpSetEntry {
  const fields = asFields(value, path);
  return {
    address: optionalAddress(fields, 'address', path),
    protocol: fields.protocol === undefined ? undefined : oneOf(fields, 'protocol', path, PROTOCOLS),
    port: optionalInteger(fields, 'port', path, 1, MAX_PORT),
    source: fields.source === undefined ? undefined : decodePrefix(fields.source, `${path}.source`),
    ...(fields.nomatch === true ? { nomatch: true } : {}),
  };
}
