/** ipamd and the installer beside it, which copies the plugin's configuration once ipamd is there. */
import { WARM_TARGET_NAMES } from '../../../../shared/runtime/cni-plugins.ts';
import { DaemonConfigurationError, fileText, type LogEntry, networkDaemon } from './network-daemon.ts';

const TEMPLATE = '/app/10-aws.conflist';
/** Where the original's manifest mounts the node's /etc/cni/net.d. */
const FOLDER = '/host/etc/cni/net.d';
const MTU_BYTES = '9001';

export const awsVpcCni = networkDaemon({
  format: jsonLine,
  request: ({ env }) => {
    const { AWS_VPC_ENI_MTU: mtu = MTU_BYTES } = env;
    if (mtu !== MTU_BYTES)
      throw new DaemonConfigurationError(`AWS_VPC_ENI_MTU=${mtu}: interfaces have ${MTU_BYTES} here`);
    return { plugin: 'aws-vpc', backend: '', settings: warmSettings(env) };
  },
  before: (_, context) => {
    const { files } = context.container;
    files.mkdir(FOLDER, { recursive: true });
    files.writeFile(`${FOLDER}/10-aws.conflist`, fileText(context, TEMPLATE) ?? '');
    return [
      ['entrypoint.sh', 'Starting IPAM daemon... '],
      ['entrypoint.sh', 'Copying config file... '],
    ];
  },
  after: (_, podCidr) => [
    ['entrypoint.sh', 'Successfully copied CNI plugin binary and config file.'],
    ['ipamd/ipamd.go', `addresses of ${podCidr} are this node's`],
  ],
});

function warmSettings(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const said = WARM_TARGET_NAMES.map((name) => [name, env[name] ?? ''] as const).filter(([, value]) => value !== '');
  const wrong = said.find(([, value]) => !/^\d{1,4}$/.test(value));
  if (wrong !== undefined) throw new DaemonConfigurationError(`${wrong[0]}=${wrong[1]}: expected a whole number`);
  return Object.fromEntries(said);
}

function jsonLine({ level, time, source, msg }: LogEntry): string {
  return JSON.stringify({ level, ts: time, caller: source, msg });
}
