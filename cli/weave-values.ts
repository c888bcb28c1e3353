/** `podwire up --cni weave --set env.NAME=VALUE`: what weave's router is told by its environment. */
import { environmentValues } from './environment-values.ts';

const NAMES = ['WEAVE_PASSWORD', 'WEAVE_NO_FASTDP'] as const;

/** Throws UserError for a name that means nothing here. An empty value is none. */
export function weaveValues(assignments: readonly string[]): Readonly<Partial<Record<(typeof NAMES)[number], string>>> {
  return environmentValues('weave', NAMES, assignments);
}
