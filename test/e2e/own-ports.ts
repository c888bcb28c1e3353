/** Ports for a cluster whose test looks whether they are free again: others that start beside it do not take them. */
import { freePort } from '../contract/nats-server.ts';

/** Arguments of `podwire up`. */
export async function ownPorts(): Promise<string[]> {
  return ['--api-port', String(await freePort()), '--nats-port', String(await freePort())];
}
