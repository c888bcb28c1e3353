/** The custom resources of cilium.io that a cluster with cilium has. */
import type { JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.js';
import {
  CILIUMCIDRGROUPS,
  CILIUMCLUSTERWIDENETWORKPOLICIES,
  CILIUMENDPOINTS,
  CILIUMIDENTITIES,
  CILIUMNETWORKPOLICIES,
} from '../../../shared/api/resources.ts';
import { checked, customDefinition, refusing } from './custom-definition.ts';
import { anything, list, object, oneOf, oneWord, selector, text, whole } from './custom-schema.ts';
import type { Manifest } from './manifest.ts';

/** As `shared/policy` knows them. */
const ICMP_TYPES = [
  'EchoReply',
  'DestinationUnreachable',
  'Redirect',
  'Echo',
  'EchoRequest',
  'RouterAdvertisement',
  'RouterSelection',
  'TimeExceeded',
  'ParameterProblem',
  'Timestamp',
  'TimestampReply',
  'PacketTooBig',
].join('|');
const flag: JSONSchemaProps = { type: 'boolean' };
const entities = oneWord(
  'all',
  'world',
  'world-ipv4',
  'world-ipv6',
  'cluster',
  'host',
  'remote-node',
  'kube-apiserver',
  'none',
  'init',
  'health',
  'unmanaged',
  'ingress',
);
const icmpType = { 'x-kubernetes-int-or-string': true } as JSONSchemaProps; // whose type does not know the extension
const icmps = list(
  checked(object({ fields: list(object({ family: oneWord('IPv4', 'IPv6'), type: icmpType }, ['type'])) }), {
    rule: `!has(self.fields) || self.fields.all(f, string(f.type).matches('^([0-9]+|${ICMP_TYPES})$'))`,
    message: 'type: a number of an ICMP type, or its name, as EchoRequest',
  }),
);
const serviceReference = oneOf({
  k8sService: object({ serviceName: text, namespace: text }),
  k8sServiceSelector: object({ selector, namespace: text }, ['selector']),
});

const DNS_NAME = '[-a-zA-Z0-9_.]+';
/** What the parts of a pattern may be: no expression. */
const DNS_PATTERN = '[-a-zA-Z0-9_.*]+';
const namePattern = checked(
  object({
    matchName: { ...text, maxLength: 255, pattern: `^${DNS_NAME}$` },
    matchPattern: { ...text, maxLength: 255, pattern: `^${DNS_PATTERN}$` },
  }),
  { rule: 'has(self.matchName) || has(self.matchPattern)', message: 'one of matchName and matchPattern must be there' },
);
const header = checked(refusing(object({ name: text, value: text, mismatch: text }, ['name']), 'secret'), {
  rule: '!has(self.mismatch)',
  message: 'mismatch: this emulation does not enforce it yet, so it is refused',
});
const httpRule = object({
  method: text,
  path: text,
  host: text,
  headers: list(text),
  headerMatches: list(header),
});
const l7Rules = {
  http: list(httpRule, 1),
  dns: list(namePattern, 1),
};

/** Of ingress there are no rules about DNS, and what denies does not look inside. */
function ports(l7: readonly (keyof typeof l7Rules)[]): JSONSchemaProps {
  const listed = object({
    ports: list(
      object({ port: text, endPort: whole(0, 65_535), protocol: oneWord('TCP', 'UDP', 'SCTP', 'ANY') }, ['port']),
    ),
    ...(l7.length === 0 ? {} : { rules: l7Schema(l7) }),
  });
  const entry = refusing(listed, 'listener', 'serverNames[]', 'originatingTLS', 'terminatingTLS');
  if (l7.length === 0) return list(refusing(entry, 'rules'));
  return list(
    checked(
      entry,
      {
        rule: "!has(self.rules) || !has(self.rules.http) || !has(self.ports) || self.ports.all(p, !has(p.protocol) || p.protocol in ['TCP', 'ANY'])",
        message: 'rules.http: HTTP needs ports of TCP',
      },
      {
        rule: '!has(self.rules) || (has(self.ports) && size(self.ports) > 0)',
        message: 'rules need ports',
      },
    ),
  );
}

function l7Schema(names: readonly (keyof typeof l7Rules)[]): JSONSchemaProps {
  const known = Object.fromEntries(names.map((name) => [name, l7Rules[name]]));
  const schema = refusing(object(known), 'kafka[]', 'l7[]');
  return names.length < 2
    ? schema
    : checked(schema, {
        rule: '!(has(self.http) && has(self.dns))',
        message: 'rules of one list of ports may be http or dns, not both',
      });
}

function rules(side: 'from' | 'to', action: 'allow' | 'deny' = 'allow'): JSONSchemaProps {
  const others = side === 'to' ? ['toGroups[]'] : ['fromGroups[]'];
  const denies = action === 'deny';
  const namesServers = side === 'to' && !denies;
  const l7 = denies ? [] : side === 'to' ? (['http', 'dns'] as const) : (['http'] as const);
  const block = { cidr: text, cidrGroupRef: text, cidrGroupSelector: selector };
  const blocks = list(
    checked(object({ ...block, except: list(text) }), {
      rule: `[${Object.keys(block).map((field) => `has(self.${field})`)}].filter(one, one).size() == 1`,
      message: 'one of cidr, cidrGroupRef and cidrGroupSelector must be there',
    }),
  );
  const peers = [`${side}Endpoints`, `${side}Entities`, `${side}CIDR`, `${side}CIDRSet`];
  const rule = refusing(
    object({
      [`${side}Endpoints`]: list(selector),
      [`${side}Entities`]: list(entities),
      [`${side}CIDR`]: list(text),
      [`${side}CIDRSet`]: blocks,
      [`${side}Nodes`]: list(selector),
      ...(side === 'to' ? { toServices: list(serviceReference) } : {}),
      ...(namesServers ? { toFQDNs: list(namePattern) } : {}),
      toPorts: ports(l7),
      icmps,
    }),
    'authentication',
    ...others,
    ...(side === 'to' && denies ? ['toFQDNs[]'] : []),
  );
  return list(
    checked(
      rule,
      {
        rule: '!(has(self.toPorts) && has(self.icmps))',
        message: 'The ICMPs block may only be present without ToPorts',
      },
      ...(namesServers
        ? [
            {
              rule: `!has(self.toFQDNs) || !(${[...peers, 'toServices'].map((peer) => `has(self.${peer})`).join(' || ')})`,
              message: 'toFQDNs may not be combined with other peers in one rule',
            },
          ]
        : []),
    ),
  );
}

const spec = object(
  {
    description: text,
    endpointSelector: selector,
    ingress: rules('from'),
    ingressDeny: rules('from', 'deny'),
    egress: rules('to'),
    egressDeny: rules('to', 'deny'),
    enableDefaultDeny: object({ ingress: flag, egress: flag }),
  },
  ['endpointSelector'],
);

const policy = { spec, specs: list(spec), status: anything };
const policyOptions = {
  fields: policy,
  hasStatus: true,
  lastColumns: { Valid: ".status.conditions[?(@.type=='Valid')].status" },
};
const identity = { 'security-labels': { type: 'object', additionalProperties: text } };
const identityColumns = { Namespace: ".security-labels['k8s:io.kubernetes.pod.namespace']" };
const endpointColumns = {
  'Security Identity': '.status.identity.id',
  'Endpoint State': '.status.state',
  IPv4: '.status.networking.addressing[0].ipv4',
  IPv6: '.status.networking.addressing[0].ipv6',
};

export function ciliumDefinitions(): Manifest[] {
  return [
    customDefinition(CILIUMNETWORKPOLICIES, { shortNames: ['cnp', 'ciliumnp'], ...policyOptions }),
    customDefinition(CILIUMCLUSTERWIDENETWORKPOLICIES, { shortNames: ['ccnp'], ...policyOptions }),
    customDefinition(CILIUMIDENTITIES, { shortNames: ['ciliumid'], fields: identity, columns: identityColumns }),
    customDefinition(CILIUMCIDRGROUPS, {
      shortNames: ['ccg'],
      fields: { spec: object({ externalCIDRs: list(text) }, ['externalCIDRs']) },
    }),
    customDefinition(CILIUMENDPOINTS, {
      shortNames: ['cep', 'ciliumep'],
      fields: { status: anything },
      hasStatus: true,
      columns: endpointColumns,
    }),
  ];
}
