/** The kinds of sockets that benchmarks of the data path compare. */

import type { IoTier } from '../node-agent/io/open-link.ts';
import { loadNativeSockets } from '../shared/native/native-socket.ts';
import type { BenchmarkContext } from './benchmark.ts';

/** Those that work here, the fastest last. */
export async function availableTiers(context: BenchmarkContext): Promise<IoTier[]> {
  try {
    await loadNativeSockets();
    return ['dgram', 'gso', 'polled'];
  } catch (error) {
    context.progress(`dgram only: ${error instanceof Error ? error.message : String(error)}`);
    return ['dgram'];
  }
}
