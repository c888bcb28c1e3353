/** A process that has a pod's stack and lends its network at the path that is its argument. */
import { podPair } from '../../shared/podnet/pod-pair.testkit.ts';
import { servePodNetwork } from '../../shared/podnet/socket-server.ts';

const [path = ''] = process.argv.slice(2);
await servePodNetwork({ network: podPair().left, path });
process.send?.('ready');
process.once('disconnect', () => process.exit());
