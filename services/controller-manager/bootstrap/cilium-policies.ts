/** The custom resources of cilium.io that a cluster with cilium has. */
import type { JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.js';
import {
  CILIUMCLUSTERWIDENETWORKPOLICIES,
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
  'cluster',
  'host',
  'remote-node',
  'kube-apiserver',
  'none',
  'init',
  'health',
  'unmanaged',
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

const ports = list(
  refusing(
    object({
      ports: list(
        object({ port: text, endPort: whole(0, 65_535), protocol: oneWord('TCP', 'UDP', 'SCTP', 'ANY') }, ['port']),
      ),
    }),
    'rules',
    'listener',
    'serverNames',
  ),
);

function rules(side: 'from' | 'to'): JSONSchemaProps {
  const others = side === 'to' ? ['toFQDNs', 'toGroups', 'toNodes'] : ['fromGroups', 'fromNodes'];
  const blocks = list(object({ cidr: text, except: list(text) }, ['cidr']));
  const rule = refusing(
    object({
      [`${side}Endpoints`]: list(selector),
      [`${side}Entities`]: list(entities),
      [`${side}CIDR`]: list(text),
      [`${side}CIDRSet`]: blocks,
      ...(side === 'to' ? { toServices: list(serviceReference) } : {}),
      toPorts: ports,
      icmps,
    }),
    'authentication',
    ...others,
  );
  return list(
    checked(rule, {
      rule: '!(has(self.toPorts) && has(self.icmps))',
      message: 'The ICMPs block may only be present without ToPorts',
    }),
  );
}

const spec = object(
  {
    description: text,
    endpointSelector: selector,
    ingress: rules('from'),
    ingressDeny: rules('from'),
    egress: rules('to'),
    egressDeny: rules('to'),
    enableDefaultDeny: object({ ingress: flag, egress: flag }),
  },
  ['endpointSelector'],
);

const policy = { spec, specs: list(spec), status: anything };
const identity = { 'security-labels': { type: 'object', additionalProperties: text } };

export function ciliumDefinitions(): Manifest[] {
  return [
    customDefinition(CILIUMNETWORKPOLICIES, { shortNames: ['cnp', 'ciliumnp'], fields: policy }),
    customDefinition(CILIUMCLUSTERWIDENETWORKPOLICIES, { shortNames: ['ccnp'], fields: policy }),
    customDefinition(CILIUMIDENTITIES, { shortNames: ['ciliumid'], fields: identity }),
  ];
}
