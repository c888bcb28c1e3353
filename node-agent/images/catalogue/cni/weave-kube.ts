/** The launcher of weave-kube: it takes no configuration here, and writes that of the CNI plugin. */
import { networkDaemon, writeConfiguration } from './network-daemon.ts';

/** Where the manifest mounts the node's /etc/cni/net.d. */
const FILE = '/host/etc/cni/net.d/10-weave.conflist';
const CONFIGURATION = {
  cniVersion: '0.3.0',
  name: 'weave',
  plugins: [
    { name: 'weave', type: 'weave-net', hairpinMode: true },
    { type: 'portmap', capabilities: { portMappings: true }, snat: true },
  ],
};

export const weaveKube = networkDaemon({
  request: () => ({ plugin: 'weave', backend: '' }),
  before: (_, context) => {
    writeConfiguration(context, FILE, CONFIGURATION);
    return [['launch.sh:1', `Wrote ${FILE}`]];
  },
  after: (_, _podCidr, { container }) => [
    ['main.go:1', `Our name is ${container.nodeName}`],
    ['main.go:1', 'Launch detected - using supplied peer list'],
    ['main.go:1', 'Listening for control connections on port 6783'],
  ],
});
