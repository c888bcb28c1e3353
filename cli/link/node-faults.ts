/** Asks the nodes concerned, all at once. */
import type { Bus } from '../../shared/bus/connection.ts';
import type { LinkFault, LinkFaultRequest } from '../../shared/rules/link-fault.ts';
import { messageOf, UserError } from '../user-error.ts';

/** All answers together. Throws UserError that says which node refused, and which ones have done it. */
export async function askNodes(bus: Bus, requests: ReadonlyMap<string, LinkFaultRequest>): Promise<LinkFault[]> {
  const { NODE_LINK_FAULTS } = await import('../../shared/bus/subjects.ts');
  const nodes = [...requests.keys()];
  const answers = await Promise.allSettled(
    [...requests].map(([node, request]) => bus.request(NODE_LINK_FAULTS, { node }, request)),
  );
  const refused = answers.findIndex(({ status }) => status === 'rejected');
  if (refused < 0) return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value.faults : []));
  const done = nodes.filter((_, i) => answers[i]?.status === 'fulfilled');
  const reason = (answers[refused] as PromiseRejectedResult).reason; // its status is 'rejected'
  const also = done.length === 0 ? '' : ` (done on ${done.join(', ')})`;
  throw new UserError(`node ${nodes[refused]}: ${messageOf(reason)}${also}`);
}
