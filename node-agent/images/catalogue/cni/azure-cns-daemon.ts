/** `azure-cns -c FILE`: `CNIConflistScenario` of its configuration chooses the network. */
import type { ProgramContext } from '../../image.ts';
import { DaemonConfigurationError, fileText, networkDaemon, writeConfiguration } from './network-daemon.ts';

const CONFIG_FILE = '/etc/azure-cns/cns_config.json';
const CONFLIST = '/etc/cni/net.d/10-azure.conflist';

interface Scenario {
  readonly backend: string;
  readonly ipam: string;
}

/** By the original's names: pods of a network of their own, or of the virtual network. */
const SCENARIOS: Readonly<Record<string, Scenario>> = {
  v4overlay: { backend: 'overlay', ipam: 'azure-cns' },
  swift: { backend: 'transparent', ipam: 'azure-vnet-ipam' },
};

export const azureCns = networkDaemon({
  request: (context) => ({ plugin: 'azure', backend: configurationOf(context).scenario.backend }),
  before: (_, context) => {
    const { path, scenario } = configurationOf(context);
    const azure = {
      type: 'azure-vnet',
      mode: 'transparent',
      ipsToRouteViaHost: ['169.254.20.10'],
      ipam: { type: scenario.ipam },
    };
    const portmap = { type: 'portmap', capabilities: { portMappings: true }, snat: true };
    writeConfiguration(context, path, { cniVersion: '0.3.0', name: 'azure', plugins: [azure, portmap] });
    return [['main.go:1', `[Azure CNS] Wrote CNI conflist ${path}`]];
  },
  after: ({ backend }, podCidr) => [
    ['main.go:1', `[Azure CNS] Reconciled NodeNetworkConfig: ${backend}, ${podCidr}`],
    ['main.go:1', '[Azure CNS] Listening at http://localhost:10090'],
  ],
});

function configurationOf(context: ProgramContext): { readonly path: string; readonly scenario: Scenario } {
  const { argv } = context;
  const file = argv[argv.indexOf('-c') + 1];
  const source = argv.includes('-c') && file !== undefined ? file : CONFIG_FILE;
  const text = fileText(context, source);
  if (text === undefined) throw new DaemonConfigurationError(`open ${source}: no such file or directory`);
  const value = parsed(source, text);
  const name = String(value.CNIConflistScenario ?? 'v4overlay');
  const scenario = SCENARIOS[name];
  if (scenario === undefined) {
    const known = Object.keys(SCENARIOS).join(', ');
    throw new DaemonConfigurationError(`${source}: CNIConflistScenario '${name}': there are ${known}`);
  }
  return { path: String(value.CNIConflistFilepath ?? CONFLIST), scenario };
}

function parsed(source: string, text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch (error) {
    throw new DaemonConfigurationError(`${source}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
