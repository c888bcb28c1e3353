/** Asks the nodes concerned, all at once. */
import type { Bus } from '../../shared/bus/connection.ts';
import type { LinkFault, LinkFaultReply, LinkFaultRequest } from '../../shared/rules/link-fault.ts';
import { messageOf, UserError } from '../user-error.ts';

/**
 * All answers together; a node that does not serve yet, as it is just starting, has no faults to show or to clear. Throws
 * UserError that says which node refused, and which ones have done it.
 */
export async function askNodes(bus: Bus, requests: ReadonlyMap<string, LinkFaultRequest>): Promise<LinkFault[]> {
  const [{ NODE_LINK_FAULTS }, { BusUnavailableError }] = await Promise.all([
    import('../../shared/bus/subjects.ts'),
    import('../../shared/bus/bus-error.ts'),
  ]);
  const nodes = [...requests.keys()];
  const ask = async (node: string, request: LinkFaultRequest): Promise<LinkFaultReply> => {
    try {
      return await bus.request(NODE_LINK_FAULTS, { node }, request);
    } catch (error) {
      if (!(error instanceof BusUnavailableError) || !bus.connected) throw error;
      if (request.action !== 'set') return { faults: [] };
      throw new Error('it is just starting: wait until it is Ready', { cause: error });
    }
  };
  const answers = await Promise.allSettled([...requests].map(([node, request]) => ask(node, request)));
  const refused = answers.findIndex(({ status }) => status === 'rejected');
  if (refused < 0) return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value.faults : []));
  const done = nodes.filter((_, i) => answers[i]?.status === 'fulfilled');
  const reason = (answers[refused] as PromiseRejectedResult).reason; // its status is 'rejected'
  const also = done.length === 0 ? '' : ` (done on ${done.join(', ')})`;
  throw new UserError(`node ${nodes[refused]}: ${messageOf(reason)}${also}`);
}
