/** What a name under the cluster's zone asks for (Kubernetes DNS-Based Service Discovery 1.1.0). */

export type RequestName =
  | { readonly kind: 'apex' }
  /** `svc.Z`, `pod.Z` */
  | { readonly kind: 'branch' }
  | { readonly kind: 'name-server' }
  | { readonly kind: 'version' }
  | { readonly kind: 'namespace'; readonly namespace: string }
  | { readonly kind: 'pod'; readonly namespace: string; readonly pod: string }
  | {
      readonly kind: 'service';
      readonly namespace: string;
      readonly service: string;
      /** `H.S.N.svc.Z` */
      readonly endpoint?: string;
      /** `_port._proto.S.N.svc.Z` */
      readonly port?: string;
      readonly protocol?: string;
    }
  | { readonly kind: 'unknown' };

/** `name` is lower case and within the zone. */
export function parseRequestName(name: string, zone: string): RequestName {
  const relative = name === zone ? '' : name.slice(0, name.length - zone.length - (zone === '' ? 0 : 1));
  if (relative === '') return { kind: 'apex' };
  if (relative === 'ns.dns') return { kind: 'name-server' };
  if (relative === 'dns-version') return { kind: 'version' };
  const labels = relative.split('.');
  const branch = labels.pop();
  if (branch !== 'svc' && branch !== 'pod') return { kind: 'unknown' };
  const namespace = labels.pop();
  if (namespace === undefined) return { kind: 'branch' };
  const subject = labels.pop();
  if (subject === undefined) return { kind: 'namespace', namespace };
  if (branch === 'pod') return labels.length === 0 ? { kind: 'pod', namespace, pod: subject } : { kind: 'unknown' };
  const [first = '', second = ''] = labels;
  switch (labels.length) {
    case 0:
      return { kind: 'service', namespace, service: subject };
    case 1:
      return { kind: 'service', namespace, service: subject, endpoint: first };
    case 2: {
      const port = withoutUnderscore(first);
      return { kind: 'service', namespace, service: subject, port, protocol: withoutUnderscore(second) };
    }
    default:
      return { kind: 'unknown' };
  }
}

function withoutUnderscore(label: string): string {
  return label.startsWith('_') ? label.slice(1) : label;
}

/** `10-244-1-5` -> 10.244.1.5, `5678-abcd--1` -> 5678:abcd::1; undefined when it is no address. */
export function addressOfDashed(label: string): string | undefined {
  const v4 = /^(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})$/.exec(label);
  if (v4 !== null) {
    const octets = v4.slice(1, 5).map(Number);
    return octets.every((octet) => octet <= 255) ? octets.join('.') : undefined;
  }
  const v6 = label.replaceAll('-', ':');
  return isIpv6(v6) ? v6 : undefined;
}

/** RFC 4291 section 2.2 without the dotted form. */
function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}

/** `10-244-1-5`; an IPv6 address that ends with `::` gains a 0, as no label may end with a dash. */
export function dashedAddress(address: string): string {
  const dashed = address.replaceAll(/[.:]/g, '-');
  return dashed.endsWith('-') ? `${dashed}0` : dashed;
}
