import type { Bus } from '../shared/bus/connection.ts';
import type { SupervisorStatus } from './supervisor/control-protocol.ts';
import { messageOf, UserError } from './user-error.ts';

const CONNECT_LIMIT_MS = 3000;

/** Connects to a running cluster's bus. NATS' client is loaded only here: most commands do without. */
export async function connectToCluster(status: SupervisorStatus): Promise<Bus> {
  const { connectBus } = await import('../shared/bus/connection.ts');
  try {
    return await connectBus({
      url: status.natsUrl,
      token: status.natsToken,
      cluster: status.cluster,
      clientName: 'cli',
      connectTimeoutMs: CONNECT_LIMIT_MS,
    });
  } catch (error) {
    throw new UserError(`cluster '${status.cluster}' runs, but its NATS server does not answer: ${messageOf(error)}`);
  }
}
