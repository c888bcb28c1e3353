/**
 * What `podwire explain` is asked about: `web`, `pod/web`, `svc/web.shop:80`, `10.244.1.5:8080`, `[fd00::5]:80`, and the names
 * that the cluster's DNS has: `web.shop.svc.cluster.local`, `db-0.db.shop.svc`, `10-244-1-5.shop.pod`.
 */
import { parseAddress } from '../../shared/wire/ip-address.ts';
import { UserError } from '../user-error.ts';

export type Target = (
  | { readonly kind: 'address'; readonly address: string }
  /** A Service when there is one of that name, else a pod; `only` where the user said which. */
  | {
      readonly kind: 'name';
      readonly name: string;
      readonly namespace: string;
      readonly only?: 'pod' | 'service';
      /** A client would ask the cluster's DNS: `web.shop`, and not the object `svc/web`. */
      readonly asksDns?: boolean;
    }
  /** A name that only who is outside of the cluster could have. */
  | { readonly kind: 'outside'; readonly name: string }
) & { readonly port?: number };

const KINDS: Readonly<Record<string, 'pod' | 'service'>> = {
  pod: 'pod',
  po: 'pod',
  svc: 'service',
  service: 'service',
};
const CLUSTER_DOMAIN = '.cluster.local';

/** `namespaces`: those there are, which tell `web.shop` from `example.com`. */
export function parseTarget(text: string, defaultNamespace: string, namespaces: readonly string[] = []): Target {
  const { host, port } = splitPort(text);
  if (parseAddress(host) !== undefined) return { kind: 'address', address: host, port };
  const slash = host.indexOf('/');
  const prefix = slash < 0 ? '' : host.slice(0, slash);
  const only = KINDS[prefix];
  // `shop/web` is a namespace and a name, as podwire's other commands take pods.
  if (only === undefined && prefix !== '') {
    return named(text, host.slice(slash + 1).split('.'), { namespace: prefix, only, port });
  }
  const labels = withoutDomain(host.slice(slash + 1)).split('.');
  const ofDns = labels.length > 2 ? dnsTarget(labels) : undefined;
  if (ofDns !== undefined) return { ...ofDns, ...(ofDns.kind === 'name' ? { asksDns: true } : {}), port } as Target;
  const [, inName] = labels;
  const isOutside = labels.length > 2 || (inName !== undefined && !namespaces.includes(inName) && only === undefined);
  if (isOutside && /^[\w-]+(\.[\w-]+)+$/.test(host) && (namespaces.length > 0 || labels.length > 2)) {
    return { kind: 'outside', name: host, port };
  }
  return named(text, labels, { namespace: inName ?? defaultNamespace, only, asksDns: only === undefined, port });
}

function named(
  text: string,
  [name = '', ...more]: readonly string[],
  rest: {
    readonly namespace: string;
    readonly only?: 'pod' | 'service';
    readonly asksDns?: boolean;
    readonly port?: number;
  },
): Target {
  if (name === '' || more.length > 1) {
    throw new UserError(
      `'${text}' is no target: use a pod, a Service or an address, as in web:80, svc/web.shop:80, pod/web-0, 10.244.1.5:80`,
    );
  }
  return { kind: 'name', name, ...rest };
}

function withoutDomain(host: string): string {
  const name = host.endsWith('.') ? host.slice(0, -1) : host;
  return name.endsWith(CLUSTER_DOMAIN) ? name.slice(0, -CLUSTER_DOMAIN.length) : name;
}

/** Undefined for what is no name of the cluster's. */
function dnsTarget(labels: readonly string[]): Target | undefined {
  const [first = '', second = '', third = ''] = labels;
  if (labels.length === 3 && third === 'svc') {
    return { kind: 'name', name: first, namespace: second, only: 'service' };
  }
  // Of a headless Service: the pod's own name.
  if (labels.length === 4 && labels[3] === 'svc') return { kind: 'name', name: first, namespace: third, only: 'pod' };
  if (labels.length === 3 && third === 'pod') {
    const ipv4 = first.replaceAll('-', '.');
    const address = parseAddress(ipv4) === undefined ? first.replaceAll('-', ':') : ipv4;
    return parseAddress(address) === undefined ? undefined : { kind: 'address', address };
  }
  return undefined;
}

function splitPort(text: string): { host: string; port?: number } {
  const bracketed = /^\[(.+)\](?::(\d+))?$/.exec(text);
  const plain = /^([^:]+)(?::(\d+))?$/.exec(text);
  const [, host, digits] = bracketed ?? plain ?? [undefined, text, undefined];
  if (digits === undefined) return { host: host ?? text };
  const port = Number(digits);
  if (port < 1 || port > 65_535) throw new UserError(`'${text}': a port is a number from 1 to 65535`);
  return { host: host ?? text, port };
}
