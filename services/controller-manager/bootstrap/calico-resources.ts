/** What a cluster with calico (or canal, whose policies are calico's) has of projectcalico.org/v3: definitions, tiers and the pool. */
import type { JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.js';
import { apiVersionOf, type ResourceRef } from '../../../shared/api/resource.ts';
import {
  CALICO_BGPCONFIGURATIONS,
  CALICO_BGPPEERS,
  CALICO_GLOBALNETWORKPOLICIES,
  CALICO_GLOBALNETWORKSETS,
  CALICO_IPAMBLOCKS,
  CALICO_IPAMCONFIGS,
  CALICO_IPPOOLS,
  CALICO_NETWORKPOLICIES,
  CALICO_NETWORKSETS,
  CALICO_TIERS,
} from '../../../shared/api/resources.ts';
import type { CniBackend } from '../../../shared/runtime/cni-plugins.ts';
import { checked, customDefinition, refusing } from './custom-definition.ts';
import { anything, list, object, oneWord, text, whole } from './custom-schema.ts';
import type { Manifest } from './manifest.ts';
import { SELECTOR_PATTERN } from './selector-pattern.ts';

const selector: JSONSchemaProps = { ...text, pattern: SELECTOR_PATTERN };
const flag: JSONSchemaProps = { type: 'boolean' };
const icmp: JSONSchemaProps = object({ type: whole(0, 254), code: whole(0, 255) });
const order: JSONSchemaProps = { type: 'number', format: 'double' };
const port = { 'x-kubernetes-int-or-string': true } as JSONSchemaProps; // whose type does not know the extension

/** `isPeer`: the other side; the endpoint's own is what the policy's selector says. */
function entity(isPeer: boolean, portsOfServer: boolean): JSONSchemaProps {
  const peer = {
    nets: list(text),
    notNets: list(text),
    selector,
    notSelector: selector,
    namespaceSelector: selector,
    serviceAccounts: object({ names: list(text), selector }),
  };
  const fields = { ...(isPeer ? peer : {}), ...(portsOfServer ? { ports: list(port), notPorts: list(port) } : {}) };
  const never = [...(isPeer ? [] : Object.keys(peer)), ...(portsOfServer ? [] : ['ports', 'notPorts']), 'services'];
  return refusing(object(fields), ...never);
}

function rules(direction: 'ingress' | 'egress'): JSONSchemaProps {
  const isIngress = direction === 'ingress';
  const rule = object(
    {
      action: oneWord('Allow', 'Deny', 'Log', 'Pass'),
      metadata: anything,
      ipVersion: { ...whole(4, 6), enum: [4, 6] } as JSONSchemaProps, // of numbers, where the type has texts alone
      protocol: port,
      notProtocol: port,
      icmp,
      notICMP: icmp,
      source: entity(isIngress, false),
      destination: entity(!isIngress, true),
    },
    ['action'],
  );
  return list(
    checked(
      refusing(rule, 'http'),
      {
        rule: '!has(self.destination) || !(has(self.destination.ports) || has(self.destination.notPorts)) || has(self.protocol)',
        message: 'rules that specify ports must set protocol to TCP or UDP or SCTP',
      },
      {
        rule: "!(has(self.icmp) || has(self.notICMP)) || (has(self.protocol) && string(self.protocol) in ['ICMP', 'ICMPv6', '1', '58'])",
        message: 'rules that specify ICMP fields must set protocol to ICMP or ICMPv6',
      },
    ),
  );
}

function policySpec(isGlobal: boolean): JSONSchemaProps {
  const spec = object({
    tier: text,
    order,
    selector,
    ...(isGlobal ? { namespaceSelector: selector } : {}),
    types: list(oneWord('Ingress', 'Egress')),
    ingress: rules('ingress'),
    egress: rules('egress'),
    serviceAccountSelector: selector,
    performanceHints: list(text),
  });
  return isGlobal ? refusing(spec, 'applyOnForward', 'preDNAT', 'doNotTrack') : spec;
}

const policyColumns = { Tier: '.spec.tier', Order: '.spec.order' };
const poolFields = {
  cidr: text,
  blockSize: whole(20, 32),
  ipipMode: oneWord('Always', 'CrossSubnet', 'Never'),
  vxlanMode: oneWord('Always', 'CrossSubnet', 'Never'),
  natOutgoing: flag,
  disabled: flag,
  nodeSelector: text,
  allowedUses: list(text),
};

const asNumber: JSONSchemaProps = { type: 'integer', format: 'int64', minimum: 1, maximum: 2 ** 32 - 1 };
const bgpConfiguration = refusing(
  object({ nodeToNodeMeshEnabled: flag, asNumber, logSeverityScreen: text }),
  ...['serviceClusterIPs[]', 'serviceExternalIPs[]', 'serviceLoadBalancerIPs[]', 'communities[]'],
  ...['prefixAdvertisements[]', 'nodeMeshPassword'],
);
const bgpPeer = checked(
  refusing(
    object({ node: text, nodeSelector: selector, peerIP: text, asNumber, peerSelector: selector }),
    ...['password', 'filters[]', 'maxRestartTime', 'numAllowedLocalASNumbers', 'ttlSecurity', 'reachableBy'],
  ),
  { rule: '!has(self.node) || !has(self.nodeSelector)', message: 'Node and NodeSelector cannot both be set' },
  { rule: '!has(self.peerIP) || !has(self.peerSelector)', message: 'PeerIP and PeerSelector cannot both be set' },
  { rule: 'has(self.peerIP) || has(self.peerSelector)', message: 'one of peerIP and peerSelector must be set' },
);

const networkSet = object({ nets: list(text, 0, 10_000) });

/** As the original's API server has them. */
const SHORT_NAMES: ReadonlyMap<ResourceRef, readonly string[]> = new Map([
  [CALICO_GLOBALNETWORKPOLICIES, ['gnp', 'cgnp', 'calicoglobalnetworkpolicies']],
  [CALICO_NETWORKPOLICIES, ['cnp', 'caliconetworkpolicy', 'caliconetworkpolicies']],
  [CALICO_NETWORKSETS, ['netsets']],
  [CALICO_BGPCONFIGURATIONS, ['bgpconfig', 'bgpconfigs']],
]);

function calicoDefinitions(): Manifest[] {
  const define = (resource: ResourceRef, spec: JSONSchemaProps, columns: Readonly<Record<string, string>>) =>
    customDefinition(resource, { fields: { spec }, columns, shortNames: SHORT_NAMES.get(resource) });
  return [
    define(CALICO_GLOBALNETWORKPOLICIES, policySpec(true), policyColumns),
    define(CALICO_NETWORKPOLICIES, policySpec(false), policyColumns),
    define(CALICO_TIERS, object({ order, defaultAction: oneWord('Deny', 'Pass') }), { Order: '.spec.order' }),
    define(CALICO_IPPOOLS, object(poolFields, ['cidr']), { CIDR: '.spec.cidr' }),
    define(CALICO_GLOBALNETWORKSETS, networkSet, {}),
    define(CALICO_NETWORKSETS, networkSet, {}),
    define(CALICO_BGPCONFIGURATIONS, bgpConfiguration, { Mesh: '.spec.nodeToNodeMeshEnabled', AS: '.spec.asNumber' }),
    define(CALICO_BGPPEERS, bgpPeer, { PeerIP: '.spec.peerIP', Node: '.spec.node', AS: '.spec.asNumber' }),
    // Written by the nodes' IPAM, which checks what it reads.
    define(CALICO_IPAMBLOCKS, anything, { CIDR: '.spec.cidr', Affinity: '.spec.affinity' }),
    define(CALICO_IPAMCONFIGS, object({ strictAffinity: flag }), { StrictAffinity: '.spec.strictAffinity' }),
  ];
}

/** In the order in which they are created. `podCidr`: undefined where addresses are not calico's, as with canal. */
export function calicoManifests(podCidr: string | undefined, backend: CniBackend | undefined): Manifest[] {
  const tiers = [
    tier('adminnetworkpolicy', 1000, 'Pass'),
    tier('default', 1_000_000, 'Deny'),
    tier('baselineadminnetworkpolicy', 10_000_000, 'Pass'),
  ];
  return [...calicoDefinitions(), ...tiers, ...(podCidr === undefined ? [] : [pool(podCidr, backend)])];
}

function tier(name: string, tierOrder: number, defaultAction: 'Deny' | 'Pass'): Manifest {
  return manifest(CALICO_TIERS, name, { order: tierOrder, defaultAction });
}

function pool(cidr: string, backend: CniBackend | undefined): Manifest {
  const mode = (always: CniBackend, crossSubnet: CniBackend) =>
    backend === always ? 'Always' : backend === crossSubnet ? 'CrossSubnet' : 'Never';
  return manifest(CALICO_IPPOOLS, 'default-ipv4-ippool', {
    cidr,
    blockSize: 26,
    ipipMode: mode('ipip', 'ipip-cross-subnet'),
    vxlanMode: mode('vxlan', 'vxlan-cross-subnet'),
    natOutgoing: true,
    nodeSelector: 'all()',
    allowedUses: ['Workload', 'Tunnel'],
  });
}

function manifest(resource: ResourceRef, name: string, spec: object): Manifest {
  const object = { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata: { name }, spec };
  return { resource, object };
}
