/** The connection of one of the cluster's processes: by its configuration, part of its health, closed when it stops. */
import type { ProcessContext } from '../runtime/process.ts';
import { type Bus, connectBus } from './connection.ts';

/** `clientName` is what nats-server's own tools show. Rejects as `connectBus` does. */
export async function connectProcessBus(
  { config, log, shutdown, health }: Pick<ProcessContext, 'config' | 'log' | 'shutdown' | 'health'>,
  clientName: string,
): Promise<Bus> {
  const bus = await connectBus({
    url: config.natsUrl,
    token: config.natsToken,
    cluster: config.cluster,
    clientName,
    log,
  });
  shutdown.onStop('bus', () => bus.close());
  health.addCheck('nats', () => (bus.connected ? undefined : 'the connection is down'));
  return bus;
}
