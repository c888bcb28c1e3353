import type { EndpointDirectory } from '../../datapath/cilium/endpoint-directory.ts';
import { reservedName } from '../../datapath/cilium/identity.ts';
import { labelLines } from '../../datapath/cilium/security-labels.ts';

/** Those that an identity stands for, as cilium's commands show them. */
export function identityLabels(directory: EndpointDirectory, identity: number): string[] {
  const reserved = reservedName(identity);
  if (reserved !== undefined) return [`reserved:${reserved}`];
  const labels = directory.labelsFor(identity);
  return labelLines(labels ?? {});
}
