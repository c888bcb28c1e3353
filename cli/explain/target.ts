/**
 * What `podwire explain` is asked about: `web`, `pod/web`, `svc/web.shop:80`, `web:http`, `node/worker-1:30080`, `10.244.1.5:8080`,
 * `[fd00::5]:80`, `http://web/`, and the names that the cluster's DNS has: `web.shop.svc.cluster.local`, `db-0.db.shop.svc`,
 * `10-244-1-5.shop.pod`.
 */
import { parseAddress } from '../../shared/wire/ip-address.ts';
import { UserError } from '../user-error.ts';

export type Target = (
  | { readonly kind: 'address'; readonly address: string }
  /** A Service when there is one of that name, else a pod, else a node; `only` where the user said which. */
  | {
      readonly kind: 'name';
      readonly name: string;
      readonly namespace: string;
      readonly only?: TargetKind;
      /** A client would ask the cluster's DNS: `web.shop`, and not the object `svc/web`. */
      readonly asksDns?: boolean;
    }
  /** A name that only who is outside of the cluster could have. */
  | { readonly kind: 'outside'; readonly name: string }
) & {
  readonly port?: number;
  /** Of a Service or of a pod's container, instead of the number. */
  readonly portName?: string;
};

export type TargetKind = 'pod' | 'service' | 'node';

const KINDS: Readonly<Record<string, TargetKind>> = {
  pod: 'pod',
  pods: 'pod',
  po: 'pod',
  svc: 'service',
  service: 'service',
  services: 'service',
  node: 'node',
  nodes: 'node',
  no: 'node',
};
const LOOPBACK = '127.0.0.1';
const SCHEME_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };
const URL_FORM = /^(https?):\/\/([^/?#]+)/;
const PORT_NAME = /^(?=.{1,15}$)(?!.*--)[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const CLUSTER_DOMAIN = '.cluster.local';

/** `namespaces`: those there are, which tell `web.shop` from `example.com`. Throws UserError. */
export function parseTarget(text: string, defaultNamespace: string, namespaces: readonly string[] = []): Target {
  const [, scheme = '', authority = text] = URL_FORM.exec(text) ?? [];
  const { host, ...asked } = splitPort(authority);
  const isPortNamed = asked.port !== undefined || asked.portName !== undefined;
  const ports = isPortNamed ? asked : { port: SCHEME_PORTS[scheme] };
  if (host === 'localhost') return { kind: 'address', address: LOOPBACK, ...ports };
  if (parseAddress(host) !== undefined) return { kind: 'address', address: host, ...ports };
  const slash = host.indexOf('/');
  const prefix = slash < 0 ? '' : host.slice(0, slash);
  const rest = host.slice(slash + 1);
  const only = KINDS[prefix];
  // `shop/web` is a namespace and a name, as podwire's other commands take pods; `pod/shop/web` says what it is too.
  const placed = only === undefined && prefix !== '' ? host : rest;
  if (placed.includes('/')) {
    const [namespace = '', name = ''] = placed.split('/');
    return named(text, name.split('.'), { namespace, only, ...ports });
  }
  if (only === 'node') return named(text, [rest], { namespace: '', only, ...ports });
  const labels = withoutDomain(rest).split('.');
  const ofDns = labels.length > 2 ? dnsTarget(labels) : undefined;
  if (ofDns !== undefined) return { ...ofDns, ...(ofDns.kind === 'name' ? { asksDns: true } : {}), ...ports };
  const [, inName] = labels;
  const isOutside = labels.length > 2 || (inName !== undefined && !namespaces.includes(inName) && only === undefined);
  if (isOutside && /^[\w-]+(\.[\w-]+)+$/.test(host) && (namespaces.length > 0 || labels.length > 2)) {
    return { kind: 'outside', name: host, ...ports };
  }
  return named(text, labels, { namespace: inName ?? defaultNamespace, only, asksDns: only === undefined, ...ports });
}

function named(
  text: string,
  [name = '', ...more]: readonly string[],
  rest: {
    readonly namespace: string;
    readonly only?: TargetKind;
    readonly asksDns?: boolean;
    readonly port?: number;
    readonly portName?: string;
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

function splitPort(text: string): { host: string; port?: number; portName?: string } {
  const bracketed = /^\[(.+)\](?::(.*))?$/.exec(text);
  const plain = /^([^:]+)(?::([^:]*))?$/.exec(text);
  const [, host = text, asked] = bracketed ?? plain ?? [];
  if (asked === undefined) return { host };
  if (!/^\d+$/.test(asked)) {
    if (PORT_NAME.test(asked)) return { host, portName: asked };
    throw new UserError(`'${text}': a port is a number from 1 to 65535, or a name, as in web:80 and web:http`);
  }
  const port = Number(asked);
  if (port < 1 || port > 65_535) throw new UserError(`'${text}': a port is a number from 1 to 65535`);
  return { host, port };
}
