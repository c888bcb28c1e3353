/**
 * The custom resources of policy.networking.k8s.io, which clusters have whose CNI plugin enforces them. Their schemas are the
 * API's (network-policy-api.sigs.k8s.io) without descriptions; domain names as peers are not among them.
 */
import type { JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.js';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import {
  ADMINNETWORKPOLICIES,
  BASELINEADMINNETWORKPOLICIES,
  CLUSTERNETWORKPOLICIES,
} from '../../../shared/api/resources.ts';
import { customDefinition } from './custom-definition.ts';
import { anything, list, object, oneOf, oneWord, type Properties, selector, text, whole } from './custom-schema.ts';
import type { Manifest } from './manifest.ts';

const MAX_PRIORITY = 1000;
const APPROVAL = 'https://github.com/kubernetes-sigs/network-policy-api/pull/30';

const pods = object({ namespaceSelector: selector, podSelector: selector }, ['podSelector']);
const port = whole(1, 65_535);
const protocol: JSONSchemaProps = { ...text, default: 'TCP' };
const source = { namespaces: selector, pods };
const destination = { ...source, nodes: selector, networks: list(text, 1) };

const adminPorts = list(
  oneOf({
    portNumber: object({ protocol, port }, ['port']),
    portRange: object({ protocol, start: port, end: port }, ['start', 'end']),
    namedPort: text,
  }),
);
const portMatch = object({
  destinationPort: oneOf({ number: port, range: object({ start: port, end: port }, ['start', 'end']) }),
});
const protocols = list(oneOf({ tcp: portMatch, udp: portMatch, sctp: portMatch, destinationNamedPort: text }), 1);

function rules(peerField: 'from' | 'to', actions: readonly string[], matches: Properties): JSONSchemaProps {
  const name = { ...text, maxLength: 100 };
  const peers = list(oneOf(peerField === 'from' ? source : destination), 1);
  return list(object({ name, action: oneWord(...actions), [peerField]: peers, ...matches }, ['action', peerField]));
}

function spec(own: Properties, actions: readonly string[], matches: Properties): JSONSchemaProps {
  const fields = {
    ...own,
    subject: oneOf(source),
    ingress: rules('from', actions, matches),
    egress: rules('to', actions, matches),
  };
  return object(fields, [...Object.keys(own), 'subject']);
}

function policyDefinition(
  resource: ResourceRef,
  shortName: string,
  specSchema: JSONSchemaProps,
  columns: Readonly<Record<string, string>>,
): Manifest {
  return customDefinition(resource, {
    shortNames: [shortName],
    fields: { spec: specSchema, status: anything },
    required: ['spec'],
    columns,
    annotations: { 'api-approved.kubernetes.io': APPROVAL },
    hasStatus: true,
  });
}

export function clusterPolicyDefinitions(): Manifest[] {
  const priority = whole(0, MAX_PRIORITY);
  const three = ['Allow', 'Deny', 'Pass'];
  return [
    policyDefinition(ADMINNETWORKPOLICIES, 'anp', spec({ priority }, three, { ports: adminPorts }), {
      Priority: '.spec.priority',
    }),
    policyDefinition(BASELINEADMINNETWORKPOLICIES, 'banp', spec({}, ['Allow', 'Deny'], { ports: adminPorts }), {}),
    policyDefinition(
      CLUSTERNETWORKPOLICIES,
      'cnp',
      spec({ tier: oneWord('Admin', 'Baseline'), priority }, ['Accept', 'Deny', 'Pass'], { protocols }),
      { Tier: '.spec.tier', Priority: '.spec.priority' },
    ),
  ];
}
