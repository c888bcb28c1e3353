/**
 * The custom resources of policy.networking.k8s.io, which clusters have whose CNI plugin enforces them. Their schemas are the
 * API's (network-policy-api.sigs.k8s.io, experimental channel) with its rules and their messages, without descriptions. Domain
 * names as peers are refused with a sentence.
 */
import type { JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.js';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import {
  ADMINNETWORKPOLICIES,
  BASELINEADMINNETWORKPOLICIES,
  CLUSTERNETWORKPOLICIES,
} from '../../../shared/api/resources.ts';
import { checked, customDefinition, notEnforced, type SchemaRule } from './custom-definition.ts';
import { anything, list, object, oneOf, oneWord, type Properties, selector, text, whole } from './custom-schema.ts';
import type { Manifest } from './manifest.ts';

const MAX_PRIORITY = 1000;
const ONLY_DEFAULT =
  'Only one baseline admin network policy with metadata.name="default" can be created in the cluster';
const APPROVAL = 'https://github.com/kubernetes-sigs/network-policy-api/pull/30';

const pods = object({ namespaceSelector: selector, podSelector: selector }, ['podSelector']);
const port = whole(1, 65_535);
const protocol: JSONSchemaProps = { ...text, default: 'TCP' };
const source = { namespaces: selector, pods };
/** Rules and peers of a rule: v1alpha1 allows 100, v1alpha2 25. */
const MAX_ADMIN = 100;
const MAX_CLUSTER = 25;
/** Without two that are alike; the type of schemas does not know the extension. */
const setOf = (items: JSONSchemaProps): JSONSchemaProps =>
  ({ ...items, 'x-kubernetes-list-type': 'set' }) as JSONSchemaProps;
const cidr = checked(
  { ...text, maxLength: 43 },
  {
    rule: "self.contains(':') != self.contains('.')",
    message: 'CIDR must be either an IPv4 or IPv6 address. IPv4 address embedded in IPv6 addresses are not supported',
  },
  { rule: 'isCIDR(self)', message: 'Invalid CIDR format provided' },
);
const destination = (maxItems: number): JSONSchemaProps =>
  checked(
    oneOf({
      ...source,
      nodes: selector,
      networks: setOf(list(cidr, 1, maxItems)),
      domainNames: setOf(list(text, 1, maxItems)),
    }),
    { rule: '!has(self.domainNames)', message: notEnforced('domainNames') },
  );
const portRange = checked(object({ start: port, end: port }, ['start', 'end']), {
  rule: 'self.start < self.end',
  message: 'Start port must be less than End port',
});

const adminPorts = list(
  oneOf({
    portNumber: object({ protocol, port }, ['port']),
    portRange: { ...portRange, properties: { protocol, ...portRange.properties } },
    namedPort: text,
  }),
);
const portMatch = { ...object({ destinationPort: oneOf({ number: port, range: portRange }) }), minProperties: 1 };
const protocols = list(
  oneOf({ tcp: portMatch, udp: portMatch, sctp: portMatch, destinationNamedPort: text }),
  1,
  MAX_CLUSTER,
);

/** Of a version: what its rules may do and match, and how many there may be. */
interface RuleForm {
  readonly actions: readonly string[];
  readonly matches: Properties;
  readonly maxItems: number;
  /** CEL over a rule: whether it names a port by name. */
  readonly namesPort: string;
}

const ADMIN_RULES: Omit<RuleForm, 'actions'> = {
  matches: { ports: adminPorts },
  maxItems: MAX_ADMIN,
  namesPort: 'has(self.ports) && self.ports.exists(port, has(port.namedPort))',
};
const CLUSTER_RULES: Omit<RuleForm, 'actions'> = {
  matches: { protocols },
  maxItems: MAX_CLUSTER,
  namesPort: 'has(self.protocols) && self.protocols.exists(protocol, has(protocol.destinationNamedPort))',
};

function rules(peerField: 'from' | 'to', { actions, matches, maxItems, namesPort }: RuleForm): JSONSchemaProps {
  const name = { ...text, maxLength: 100 };
  const peer = peerField === 'from' ? oneOf(source) : destination(maxItems);
  const peers = list(peer, 1, maxItems);
  const rule = object({ name, action: oneWord(...actions), [peerField]: peers, ...matches }, ['action', peerField]);
  if (peerField === 'from') return list(rule, 0, maxItems);
  const nameless = checked(rule, {
    rule: `!(self.to.exists(peer, has(peer.networks) || has(peer.nodes) || has(peer.domainNames)) && ${namesPort})`,
    message:
      'networks/nodes/domainNames peer cannot be set with namedPorts since there are no namedPorts for networks/nodes/domainNames',
  });
  return list(nameless, 0, maxItems);
}

function spec(own: Properties, form: RuleForm): JSONSchemaProps {
  const fields = { ...own, subject: oneOf(source), ingress: rules('from', form), egress: rules('to', form) };
  return object(fields, [...Object.keys(own), 'subject']);
}

function policyDefinition(
  resource: ResourceRef,
  shortName: string,
  specSchema: JSONSchemaProps,
  columns: Readonly<Record<string, string>>,
  ...validations: readonly SchemaRule[]
): Manifest {
  return customDefinition(resource, {
    shortNames: [shortName],
    fields: { spec: specSchema, status: anything },
    required: ['spec'],
    columns,
    annotations: { 'api-approved.kubernetes.io': APPROVAL },
    hasStatus: true,
    validations,
  });
}

export function clusterPolicyDefinitions(): Manifest[] {
  const priority = whole(0, MAX_PRIORITY);
  const three = ['Allow', 'Deny', 'Pass'];
  return [
    policyDefinition(ADMINNETWORKPOLICIES, 'anp', spec({ priority }, { ...ADMIN_RULES, actions: three }), {
      Priority: '.spec.priority',
    }),
    policyDefinition(
      BASELINEADMINNETWORKPOLICIES,
      'banp',
      spec({}, { ...ADMIN_RULES, actions: ['Allow', 'Deny'] }),
      {},
      { rule: "self.metadata.name == 'default'", message: ONLY_DEFAULT },
    ),
    policyDefinition(
      CLUSTERNETWORKPOLICIES,
      'cnp',
      spec({ tier: oneWord('Admin', 'Baseline'), priority }, { ...CLUSTER_RULES, actions: ['Accept', 'Deny', 'Pass'] }),
      { Tier: '.spec.tier', Priority: '.spec.priority' },
    ),
  ];
}
