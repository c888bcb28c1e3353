/** calico's installer and its node's daemon, which their environment configures. */
import type { Program } from '../../image.ts';
import { write } from '../../program-io.ts';
import { DaemonConfigurationError, networkDaemon } from './network-daemon.ts';

/** Where the original's manifest mounts the node's /etc/cni/net.d. */
const FOLDER = '/host/etc/cni/net.d';
const KUBECONFIG = '/etc/cni/net.d/calico-kubeconfig';

export const installCni: Program = async ({ env, container, stdout, stderr }) => {
  const { CNI_CONF_NAME: name = '10-calico.conflist', CNI_NETWORK_CONFIG: template, CNI_MTU: mtu = '1480' } = env;
  if (template === undefined) {
    await write(stderr, 'install.go: no CNI_NETWORK_CONFIG in the environment\n');
    return 1;
  }
  const text = template
    .replaceAll('__KUBERNETES_NODE_NAME__', container.nodeName)
    .replaceAll('__CNI_MTU__', mtu)
    .replaceAll('__KUBECONFIG_FILEPATH__', KUBECONFIG);
  container.files.mkdir(FOLDER, { recursive: true });
  container.files.writeFile(`${FOLDER}/${name}`, text);
  await write(stdout, `Created ${FOLDER}/${name}\nDone configuring CNI.  Sleep= false\n`);
  return 0;
};

/** An environment variable's value, and its part of a backend's name. */
const MODES: Readonly<Record<string, string>> = { Always: '', CrossSubnet: '-cross-subnet' };

export const calicoNode = networkDaemon({
  request: ({ env }) => ({ plugin: 'calico', backend: backendOf(env) }),
  before: ({ backend }) => [
    ['startup.go:430', 'Early log level set to info'],
    ['startup.go:1', `IP pool with encapsulation ${backend}`],
  ],
  after: (_, podCidr) => [
    ['startup.go:1', `Using pod CIDR ${podCidr}`],
    ['daemon.go:1', 'Felix starting up'],
  ],
});

function backendOf(env: Readonly<Record<string, string>>): string {
  const vxlan = modeOf(env, 'CALICO_IPV4POOL_VXLAN');
  if (vxlan !== undefined) return `vxlan${vxlan}`;
  const ipip = modeOf(env, 'CALICO_IPV4POOL_IPIP');
  return ipip === undefined ? 'none' : `ipip${ipip}`;
}

/** Undefined for `Never`, which is what is not said. */
function modeOf(env: Readonly<Record<string, string>>, name: string): string | undefined {
  const value = env[name] ?? 'Never';
  if (value === 'Never') return undefined;
  const mode = MODES[value];
  if (mode === undefined) throw new DaemonConfigurationError(`${name}=${value}: there are Always, CrossSubnet, Never`);
  return mode;
}
