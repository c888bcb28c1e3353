/** The launcher of weave-kube: its environment has the peers' password, and whether the fast datapath is to be used. */
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
  request: ({ env: { WEAVE_PASSWORD = '', WEAVE_NO_FASTDP = '' } }) => ({
    plugin: 'weave',
    backend: '',
    settings: { WEAVE_PASSWORD, WEAVE_NO_FASTDP },
  }),
  before: ({ settings = {} }, context) => {
    writeConfiguration(context, FILE, CONFIGURATION);
    return [
      ['launch.sh:1', `Wrote ${FILE}`],
      ...(settings.WEAVE_NO_FASTDP ? ([['bridge.go:1', 'Fast datapath is disabled by WEAVE_NO_FASTDP']] as const) : []),
      ['main.go:1', settings.WEAVE_PASSWORD ? ENCRYPTED : 'Communication between peers is unencrypted.'],
    ];
  },
  after: (_, _podCidr, { container }) => [
    ['main.go:1', `Our name is ${container.nodeName}`],
    ['main.go:1', 'Launch detected - using supplied peer list'],
    ['main.go:1', 'Listening for control connections on port 6783'],
  ],
});

const ENCRYPTED = 'Communication between peers via untrusted networks is encrypted.';
