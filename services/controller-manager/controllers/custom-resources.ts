/** The resources that CustomResourceDefinitions brought, as controllers of everything need them. */
import { servedResources } from '../../../shared/api/custom-resource/definition.ts';
import type { Live } from '../../../shared/api/live.ts';
import type { KubeObject } from '../../../shared/api/object.ts';
import { apiVersionOf, type ResourceRef } from '../../../shared/api/resource.ts';
import { CUSTOMRESOURCEDEFINITIONS } from '../../../shared/api/resources.ts';
import type { Informers } from '../informers.ts';

/** All that is served at the time of asking: `builtIn`, and each custom resource in every version. */
export class AllResources {
  private readonly builtIn: readonly ResourceRef[];
  private readonly definitions: { list(): readonly Live<KubeObject>[] };

  constructor(informers: Informers, builtIn: readonly ResourceRef[]) {
    this.builtIn = builtIn;
    this.definitions = informers.of<Live<KubeObject>>(CUSTOMRESOURCEDEFINITIONS);
  }

  /** Each once, in one of its versions. */
  namespaced(): ResourceRef[] {
    const custom = this.definitions.list().flatMap((definition) => servedResources(definition).slice(0, 1));
    return [...this.builtIn, ...custom].filter(({ namespaced }) => namespaced);
  }

  /** Undefined when nothing of that kind is served. */
  ofKind(apiVersion: string, kind: string): ResourceRef | undefined {
    const isMeant = (resource: ResourceRef) => resource.kind === kind && apiVersionOf(resource) === apiVersion;
    return this.builtIn.find(isMeant) ?? this.definitions.list().flatMap(servedResources).find(isMeant);
  }
}
