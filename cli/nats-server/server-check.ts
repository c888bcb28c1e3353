import type { Bus } from '../../shared/bus/connection.ts';
import { UserError } from '../user-error.ts';

/** The first version with all that the store needs. */
const OLDEST_NATS_VERSION = [2, 9] as const;

/** Throws a UserError for a server that cannot hold the store. */
export function checkServer(bus: Bus, url: string): void {
  const { version = '0.0', jetstream } = bus.nats.info ?? {};
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NATS_VERSION;
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    throw new UserError(`the nats-server at ${url} is ${version}: ${OLDEST_NATS_VERSION.join('.')} or later is needed`);
  }
  if (jetstream !== true) throw new UserError(`the nats-server at ${url} has no JetStream: enable it with -js`);
}
