/** What is served now: the built-in resources, and those of the established CustomResourceDefinitions in the store. */
import { compareVersions, servedResources } from '../../../shared/api/custom-resource/definition.ts';
import type { KubeObject } from '../../../shared/api/object.ts';
import {
  findResource,
  type GroupVersions,
  groupVersions,
  type ResourceDefinition,
  resourcesOf,
} from '../../../shared/api/registry.ts';
import { CUSTOMRESOURCEDEFINITIONS } from '../../../shared/api/resources.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';

export class ServedResources {
  private readonly storage: ObjectStorage;
  /** States of definitions never change: a new state is a new object. */
  private readonly read = new WeakMap<KubeObject, readonly ResourceDefinition[]>();

  constructor(storage: ObjectStorage) {
    this.storage = storage;
  }

  /** By the parts of a URL. */
  find(group: string, version: string, resource: string): ResourceDefinition | undefined {
    const builtIn = findResource(group, version, resource);
    if (builtIn !== undefined) return builtIn;
    const definition = this.storage.get(CUSTOMRESOURCEDEFINITIONS, `${resource}.${group}`);
    return definition && this.of(definition).find((served) => served.version === version);
  }

  resourcesOf(group: string, version: string): readonly ResourceDefinition[] {
    const custom = this.custom().filter((served) => served.group === group && served.version === version);
    return [...resourcesOf(group, version), ...custom];
  }

  /** In the order of discovery, the preferred version of each group first. */
  groupVersions(): readonly GroupVersions[] {
    const added = new Map<string, Set<string>>();
    for (const { group, version } of this.custom()) {
      const versions = added.get(group) ?? new Set();
      added.set(group, versions.add(version));
    }
    const builtIn = groupVersions().map(({ group, versions }) => {
      const more = [...(added.get(group) ?? [])].filter((version) => !versions.includes(version));
      added.delete(group);
      return { group, versions: [...versions, ...more.sort(compareVersions)] };
    });
    // Custom ones by their names: who asks for a short name that two have gets that of the first.
    const custom = [...added].sort(([a], [b]) => (a < b ? -1 : 1));
    return [
      ...builtIn,
      ...custom.map(([group, versions]) => ({ group, versions: [...versions].sort(compareVersions) })),
    ];
  }

  private custom(): readonly ResourceDefinition[] {
    return this.storage
      .of(CUSTOMRESOURCEDEFINITIONS)
      .list()
      .flatMap(({ object }) => this.of(object));
  }

  private of(definition: KubeObject): readonly ResourceDefinition[] {
    let served = this.read.get(definition);
    if (served === undefined) {
      served = servedResources(definition);
      this.read.set(definition, served);
    }
    return served;
  }
}
