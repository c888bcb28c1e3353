/** The agent of cilium: a file for each value of its ConfigMap, in the folder that `--config-dir` names. */
import type { ProgramContext } from '../../image.ts';
import {
  DaemonConfigurationError,
  fileText,
  type LogEntry,
  networkDaemon,
  writeConfiguration,
} from './network-daemon.ts';

const CONFIG_FOLDER = '/tmp/cilium/config-map';
/** Where the original's manifest mounts the node's /etc/cni/net.d. */
const FILE = '/host/etc/cni/net.d/05-cilium.conflist';
const CONFIGURATION = {
  cniVersion: '0.3.1',
  name: 'cilium',
  plugins: [{ type: 'cilium-cni', 'enable-debug': false, 'log-file': '/var/run/cilium/cilium-cni.log' }],
};

export const ciliumAgent = networkDaemon({
  format: logfmt,
  request: (context) => ({ plugin: 'cilium', backend: backendOf(context), settings: settingsOf(context) }),
  before: ({ backend }, context) => {
    writeConfiguration(context, FILE, CONFIGURATION);
    return [
      ['daemon', `Cilium starts; routing: ${backend}`],
      ['cni-config', `Wrote CNI configuration file to ${FILE}`],
    ];
  },
  after: (_, podCidr, { container }) => [
    ['daemon', `Retrieved node information from kubernetes node: ${container.nodeName}, IPv4 pod CIDR ${podCidr}`],
    ['datapath-loader', 'Setting up BPF datapath'],
    ['daemon', 'Daemon initialization completed'],
  ],
});

/** What the node wants to know beside. */
const SETTINGS = ['enable-policy', 'tofqdns-min-ttl', 'enable-wireguard'];

function settingsOf(context: ProgramContext): Record<string, string> {
  return Object.fromEntries(SETTINGS.map((name) => [name, configured(context, name) ?? '']));
}

function configured(context: ProgramContext, name: string): string | undefined {
  const folder = context.argv.find((word) => word.startsWith('--config-dir='))?.split('=')[1] ?? CONFIG_FOLDER;
  return fileText(context, `${folder}/${name}`)?.trim();
}

function backendOf(context: ProgramContext): string {
  const value = (name: string, otherwise: string) => configured(context, name) ?? otherwise;
  const mode = value('routing-mode', 'tunnel');
  const protocol = value('tunnel-protocol', 'vxlan');
  const isEncrypted = value('enable-wireguard', 'false') === 'true';
  if (mode === 'native') return isEncrypted ? 'wireguard' : 'native';
  if (mode !== 'tunnel') throw new DaemonConfigurationError(`routing-mode=${mode}: there are tunnel and native`);
  if (protocol === 'vxlan' || protocol === 'geneve') return protocol;
  throw new DaemonConfigurationError(`tunnel-protocol=${protocol}: there are vxlan and geneve`);
}

/** As its agent logs: `time="..." level=info msg="..." subsys=daemon`. */
function logfmt({ level, time, source, msg }: LogEntry): string {
  return `time="${time}" level=${level} msg=${JSON.stringify(msg)} subsys=${source}`;
}
