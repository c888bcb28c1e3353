/** The custom resources of cilium.io that a cluster with cilium has. */
import type { JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.js';
import {
  CILIUMCLUSTERWIDENETWORKPOLICIES,
  CILIUMIDENTITIES,
  CILIUMNETWORKPOLICIES,
} from '../../../shared/api/resources.ts';
import { customDefinition, refusing } from './custom-definition.ts';
import { anything, list, object, oneWord, selector, text, whole } from './custom-schema.ts';
import type { Manifest } from './manifest.ts';

const flag: JSONSchemaProps = { type: 'boolean' };
const entities = oneWord('all', 'world', 'cluster', 'host', 'remote-node', 'none', 'init', 'health', 'unmanaged');

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
  const others = side === 'to' ? ['toFQDNs', 'toServices', 'toGroups', 'toNodes'] : ['fromGroups', 'fromNodes'];
  const blocks = list(object({ cidr: text, except: list(text) }, ['cidr']));
  return list(
    refusing(
      object({
        [`${side}Endpoints`]: list(selector),
        [`${side}Entities`]: list(entities),
        [`${side}CIDR`]: list(text),
        [`${side}CIDRSet`]: blocks,
        toPorts: ports,
      }),
      'icmps',
      'authentication',
      ...others,
    ),
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
