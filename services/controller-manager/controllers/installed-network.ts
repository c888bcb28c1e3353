/**
 * Brings the custom resources of a network that was installed into a cluster of `--cni none`, as its manifest or its operator
 * does. Definitions first: objects of theirs cannot be created before.
 */
import type { Node } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../shared/api/live.ts';
import type { KubeObject } from '../../../shared/api/object.ts';
import { CALICO_IPPOOLS, CALICO_TIERS, CUSTOMRESOURCEDEFINITIONS, NODES } from '../../../shared/api/resources.ts';
import {
  backendsOf,
  CALICO_ENCAPSULATION_ANNOTATION,
  CNI_ANNOTATION,
  CNI_PLUGINS,
} from '../../../shared/runtime/cni-plugins.ts';
import type { ClusterConfig } from '../../../shared/runtime/config.ts';
import type { Outcome } from '../action.ts';
import type { Manifest } from '../bootstrap/manifest.ts';
import { networkManifests } from '../bootstrap/network-resources.ts';
import { type Controller, keysFrom } from '../controller.ts';
import type { Informers } from '../informers.ts';

export interface InstalledNetworkState {
  /** What is not there yet. */
  readonly definitions: readonly Manifest[];
  readonly objects: readonly Manifest[];
}

/** A definition is served a moment after it was created. */
const SERVED_AFTER_MS = 300;

export function installedNetworkController(
  informers: Informers,
  config: Pick<ClusterConfig, 'podCidr'>,
): Controller<InstalledNetworkState> {
  const nodes = informers.of<Live<Node>>(NODES);
  const resources = [CUSTOMRESOURCEDEFINITIONS, CALICO_TIERS, CALICO_IPPOOLS];
  const known = new Map(resources.map((resource) => [resource, informers.of<Live<KubeObject>>(resource)] as const));
  const isThere = ({ resource, object }: Manifest): boolean =>
    known.get(resource)?.get((object as Live<KubeObject>).metadata.name) !== undefined;
  return {
    name: 'installed-network-controller',
    sources: [keysFrom(nodes, ({ metadata }) => [metadata.annotations?.[CNI_ANNOTATION] ?? 'none'])],
    gather(name) {
      const cni = CNI_PLUGINS.find((candidate) => candidate === name);
      if (cni === undefined) return undefined;
      const annotations = nodes.list().map(({ metadata }) => metadata.annotations ?? {});
      const installed = annotations.find(({ [CNI_ANNOTATION]: installedName }) => installedName === name);
      const cniBackend = backendsOf(cni).find((one) => one === installed?.[CALICO_ENCAPSULATION_ANNOTATION]);
      const missing = networkManifests(cni, { ...config, cniBackend }).filter((manifest) => !isThere(manifest));
      const isDefinition = ({ resource }: Manifest): boolean => resource === CUSTOMRESOURCEDEFINITIONS;
      return {
        definitions: missing.filter(isDefinition),
        objects: missing.filter((manifest) => !isDefinition(manifest)),
      };
    },
    reconcile: reconcileInstalledNetwork,
  };
}

export function reconcileInstalledNetwork({ definitions, objects }: InstalledNetworkState): Outcome {
  const missing = definitions.length > 0 ? definitions : objects;
  const actions = missing.map((manifest) => ({ kind: 'create', ...manifest }) as const);
  return { actions, requeueAfterMs: definitions.length > 0 ? SERVED_AFTER_MS : undefined };
}
