/** A process that has a pod's stack and lends its network at the path that is its argument; with `ipv6` behind it of both versions. */
import { podPair } from '../../shared/podnet/pod-pair.testkit.ts';
import { servePodNetwork } from '../../shared/podnet/socket-server.ts';

const [path = '', family] = process.argv.slice(2);
await servePodNetwork({ network: podPair({ ipv6: family === 'ipv6' }).left, path });
process.send?.('ready');
process.once('disconnect', () => process.exit());
