/**
 * The custom resources of cilium.io that a cluster with `--cni cilium` has. What is not enforced here is refused with a
 * sentence, never dropped: a rule that lost a condition would allow more than its author wrote.
 */
import type { CustomResourceDefinition, JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.js';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import {
  CILIUMCLUSTERWIDENETWORKPOLICIES,
  CILIUMIDENTITIES,
  CILIUMNETWORKPOLICIES,
  CUSTOMRESOURCEDEFINITIONS,
} from '../../../shared/api/resources.ts';
import { anything, list, object, oneWord, selector, text, whole } from './custom-schema.ts';
import type { Manifest } from './manifest.ts';

const flag: JSONSchemaProps = { type: 'boolean' };
const entities = oneWord('all', 'world', 'cluster', 'host', 'remote-node', 'none', 'init', 'health', 'unmanaged');

function refusing(schema: JSONSchemaProps, ...fields: readonly string[]): JSONSchemaProps {
  const refused = Object.fromEntries(fields.map((field) => [field, anything]));
  const validations = fields.map((field) => ({
    rule: `!has(self.${field})`,
    message: `${field}: this emulation does not enforce it yet, so it is refused`,
  }));
  return {
    ...schema,
    properties: { ...schema.properties, ...refused },
    'x-kubernetes-validations': validations,
  } as JSONSchemaProps; // whose type does not know the extension
}

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

function definition(
  resource: ResourceRef,
  shortNames: string[],
  fields: Readonly<Record<string, JSONSchemaProps>>,
): Manifest {
  const { group, version, kind, resource: plural } = resource;
  const manifest: CustomResourceDefinition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: resource.namespaced ? 'Namespaced' : 'Cluster',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List`, shortNames },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: object({ apiVersion: text, kind: text, metadata: { type: 'object' }, ...fields }, [
              'metadata',
            ]),
          },
          additionalPrinterColumns: [{ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }],
        },
      ],
    },
  };
  return { resource: CUSTOMRESOURCEDEFINITIONS, object: manifest };
}

export function ciliumDefinitions(): Manifest[] {
  return [
    definition(CILIUMNETWORKPOLICIES, ['cnp', 'ciliumnp'], policy),
    definition(CILIUMCLUSTERWIDENETWORKPOLICIES, ['ccnp'], policy),
    definition(CILIUMIDENTITIES, ['ciliumid'], identity),
  ];
}
