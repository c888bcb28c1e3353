/** What an installed network brings along, and in which order. */
import { expect, it } from 'vitest';
import { CUSTOMRESOURCEDEFINITIONS } from '../../../shared/api/resources.ts';
import type { CniPluginName } from '../../../shared/runtime/cni-plugins.ts';
import { networkManifests } from '../bootstrap/network-resources.ts';
import { reconcileInstalledNetwork } from './installed-network.ts';

const CONFIG = { podCidr: '10.244.0.0/16', cniBackend: undefined };
const names = (cni: CniPluginName) =>
  networkManifests(cni, CONFIG).map(({ object }) => (object as { metadata: { name: string } }).metadata.name);

it.each<[CniPluginName, string[]]>([
  ['none', []],
  ['flannel', []],
  ['kube-router', []],
  ['weave', []],
  [
    'calico',
    [
      'adminnetworkpolicies.policy.networking.k8s.io',
      'baselineadminnetworkpolicies.policy.networking.k8s.io',
      'clusternetworkpolicies.policy.networking.k8s.io',
      'globalnetworkpolicies.projectcalico.org',
      'networkpolicies.projectcalico.org',
      'tiers.projectcalico.org',
      'ippools.projectcalico.org',
      'globalnetworksets.projectcalico.org',
      'networksets.projectcalico.org',
      'bgpconfigurations.projectcalico.org',
      'bgppeers.projectcalico.org',
      'ipamblocks.crd.projectcalico.org',
      'ipamconfigs.crd.projectcalico.org',
      'adminnetworkpolicy',
      'default',
      'baselineadminnetworkpolicy',
      'default-ipv4-ippool',
    ],
  ],
])('%s brings what it enforces', (cni, expected) => {
  expect(names(cni)).toEqual(expected);
});

it('cilium and canal bring their own', () => {
  expect(names('cilium')).toContain('ciliumnetworkpolicies.cilium.io');
  expect(names('canal')).toContain('globalnetworkpolicies.projectcalico.org');
  expect(names('canal')).not.toContain('default-ipv4-ippool');
});

it('definitions come first, and what is there is not created again', () => {
  const all = networkManifests('calico', CONFIG);
  const definitions = all.filter(({ resource }) => resource === CUSTOMRESOURCEDEFINITIONS);
  const objects = all.filter(({ resource }) => resource !== CUSTOMRESOURCEDEFINITIONS);
  const first = reconcileInstalledNetwork({ definitions, objects });
  expect(first.actions.map((action) => action.kind === 'create' && action.resource)).toEqual(
    definitions.map(() => CUSTOMRESOURCEDEFINITIONS),
  );
  expect(first.requeueAfterMs).toBeGreaterThan(0);
  expect(reconcileInstalledNetwork({ definitions: [], objects }).actions).toHaveLength(4);
  expect(reconcileInstalledNetwork({ definitions: [], objects: [] })).toEqual({ actions: [] });
});
