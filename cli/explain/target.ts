/** What `podwire explain` is asked about: `web`, `pod/web`, `svc/web.shop:80`, `10.244.1.5:8080`, `[fd00::5]:80`. */
import { parseAddress } from '../../shared/wire/ip-address.ts';
import { UserError } from '../user-error.ts';

export type Target = (
  | { readonly kind: 'address'; readonly address: string }
  /** A Service when there is one of that name, else a pod; `only` where the user said which. */
  | { readonly kind: 'name'; readonly name: string; readonly namespace: string; readonly only?: 'pod' | 'service' }
) & { readonly port?: number };

const KINDS: Readonly<Record<string, 'pod' | 'service'>> = {
  pod: 'pod',
  po: 'pod',
  svc: 'service',
  service: 'service',
};

export function parseTarget(text: string, defaultNamespace: string): Target {
  const { host, port } = splitPort(text);
  if (parseAddress(host) !== undefined) return { kind: 'address', address: host, port };
  const slash = host.indexOf('/');
  const prefix = slash < 0 ? '' : host.slice(0, slash);
  const rest = host.slice(slash + 1);
  const only = KINDS[prefix];
  // `shop/web` is a namespace and a name, as podwire's other commands take pods.
  const inPrefix = only === undefined && prefix !== '' ? prefix : undefined;
  const [name = '', inName, svc] = rest.split('.');
  if (name === '' || (svc !== undefined && svc !== 'svc')) {
    throw new UserError(
      `'${text}' is no target: use a pod, a Service or an address, as in web:80, svc/web.shop:80, pod/web-0, 10.244.1.5:80`,
    );
  }
  const namespace = inPrefix ?? inName ?? defaultNamespace;
  return { kind: 'name', name, namespace, only, port };
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
