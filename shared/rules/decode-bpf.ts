/** A change of the load balancer maps from a message. */
import { BPF_SERVICE_TYPES, type BpfBackend, type BpfChange, type BpfService, type BpfServiceId } from './bpf.ts';
import { decodePrefix } from './decode-rule.ts';
import { address, asFields, asList, type Fields, integer, oneOf, optionalInteger } from './decode-value.ts';

const MAX_UINT32 = 0xffff_ffff;
const MAX_PORT = 65_535;

/** Throws RulesDecodeError. */
export function decodeBpfChange(value: unknown, path: string): BpfChange {
  const fields = asFields(value, path);
  return {
    set: optionalList(fields.set, `${path}.set`, decodeService),
    delete: optionalList(fields.delete, `${path}.delete`, (id, at) => decodeId(asFields(id, at), at)),
  };
}

function optionalList<T>(value: unknown, path: string, decode: (item: unknown, path: string) => T): T[] | undefined {
  return value === undefined ? undefined : asList(value, path).map((item, i) => decode(item, `${path}[${i}]`));
}

function decodeId(fields: Fields, path: string): BpfServiceId {
  return {
    protocol: oneOf(fields, 'protocol', path, ['tcp', 'udp'] as const),
    address: address(fields, 'address', path),
    port: integer(fields, 'port', path, 1, MAX_PORT),
  };
}

function decodeService(value: unknown, path: string): BpfService {
  const fields = asFields(value, path);
  return {
    ...decodeId(fields, path),
    type: oneOf(fields, 'type', path, BPF_SERVICE_TYPES),
    internal: optionalList(fields.internal, `${path}.internal`, decodeBackend) ?? [],
    external: optionalList(fields.external, `${path}.external`, decodeBackend) ?? [],
    affinitySeconds: optionalInteger(fields, 'affinitySeconds', path, 1, MAX_UINT32),
    sourceRanges: optionalList(fields.sourceRanges, `${path}.sourceRanges`, decodePrefix),
  };
}

function decodeBackend(value: unknown, path: string): BpfBackend {
  const fields = asFields(value, path);
  return {
    address: address(fields, 'address', path),
    port: integer(fields, 'port', path, 1, MAX_PORT),
  };
}
