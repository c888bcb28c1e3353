/** Defaults of CustomResourceDefinitions (not of the custom resources, whose schemas hold their own). */
import type { CustomResourceDefinition } from 'kubernetes-types/apiextensions/v1.js';

export function defaultCustomResourceDefinition(definition: CustomResourceDefinition): void {
  const spec = definition.spec;
  if (spec === undefined) return;
  spec.conversion ??= { strategy: 'None' };
  if (spec.names?.kind === undefined) return;
  spec.names.singular ||= spec.names.kind.toLowerCase();
  spec.names.listKind ||= `${spec.names.kind}List`;
}
