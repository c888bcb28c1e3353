/** Decides what `podwire up` starts: settings kept from the last time and given now, ports, addresses, programs. */

import { dirname, join, resolve } from 'node:path';
import type { CniPluginName } from '../../shared/runtime/cni-plugins.ts';
import { DEFAULT_LOAD_BALANCER_POOL, type Egress, type HostPort } from '../../shared/runtime/config.ts';
import type { ProcessName } from '../../shared/runtime/entry-point.ts';
import { DEFAULT_INSTANCE_TYPE, interfaceLimits, maxPodsOf } from '../../shared/runtime/instance-types.ts';
import type { LogLevel } from '../../shared/runtime/log.ts';
import { DEFAULT_MAX_PODS, nodeBlocks, nodeMaskSize } from '../../shared/runtime/node-block.ts';
import { chooseAddressBlock, planNodes } from '../address-plan.ts';
import { type Claim, createClaim } from '../claims.ts';
import { type ClusterFolder, cacheFolder } from '../cluster-folder.ts';
import { type ClusterSettings, readSettings, writeSettings } from '../cluster-settings.ts';
import { chooseCni } from '../cni-choice.ts';
import { findNatsServer } from '../nats-server/find.ts';
import { writeNatsServerFiles } from '../nats-server/server-config.ts';
import { type BindOutcome, claimTcpPort, nextFreeTcpPort, tryTcpPort, tryUdpPort } from '../ports.ts';
import { messageOf, UserError } from '../user-error.ts';
import type { ClusterPlan, NodeIoSettings } from './process-plan.ts';
import { programFile } from './program-file.ts';

/** What the user asked for; what is left out stays as it was, or gets its default. */
export type RequestedSettings = Partial<Omit<ClusterSettings, 'addressBlock'>>;

export interface StartRequest {
  readonly folder: ClusterFolder;
  readonly requested: RequestedSettings;
  readonly logLevel: LogLevel;
  /** Forgets what an earlier run stored. */
  readonly fresh: boolean;
  /** For this run only: nobody shall find it allowed by accident. */
  readonly allowNetns: boolean;
  /** For this run only, for the same reason. */
  readonly egress?: Egress;
  readonly dnsListen?: HostPort;
  /** Folders that hostPath volumes may be; for this run only. */
  readonly allowedHostPaths?: readonly string[];
  /** Absolute paths of images of the user's own; for this run only. */
  readonly ownImages?: readonly string[];
  /** For this run only. */
  readonly io?: NodeIoSettings;
  readonly report: (text: string) => void;
}

const DEFAULT_API_PORT = 6443;
const DEFAULT_NATS_PORT = 4222;

export async function planStart(request: StartRequest): Promise<ClusterPlan> {
  const { folder, requested, report } = request;
  const saved = request.fresh ? undefined : readSettings(folder.settingsFile);
  const nodeCount = requested.nodes ?? saved?.nodes ?? 3;
  const network = chooseCni(requested, saved, requested.ipFamily ?? saved?.ipFamily ?? 'ipv4');
  const kept = saved?.cni === network.cni ? saved : undefined;
  const cniSettings = requested.cniSettings ?? kept?.cniSettings;
  const instanceType = requested.instanceType ?? kept?.instanceType ?? defaultInstanceType(network.cni);
  const claim = createClaim();
  // What the user can have got wrong comes before what takes time.
  if (request.dnsListen !== undefined) await checkDnsListen(request.dnsListen);
  const [apiPort, natsPort, addressBlock] = await Promise.all([
    choosePort('the API', '--api-port', requested.apiPort, saved?.apiPort, DEFAULT_API_PORT, claim),
    choosePort('NATS', '--nats-port', requested.natsPort, saved?.natsPort, DEFAULT_NATS_PORT, claim),
    chooseAddressBlock(nodeCount, saved?.addressBlock, claim),
  ]);
  const [nats, apiserver] = await Promise.all([
    findNatsServer({ folder: cacheFolder(), report }),
    programFile('apiserver', report, request.ownImages),
  ]);
  const settings: ClusterSettings = {
    nodes: nodeCount,
    ...network,
    ...(cniSettings === undefined ? {} : { cniSettings }),
    ...(instanceType === undefined ? {} : { instanceType }),
    policyEstablished: requested.policyEstablished ?? saved?.policyEstablished ?? 'cut',
    proxyMode: requested.proxyMode ?? saved?.proxyMode ?? 'iptables',
    loadBalancerPool: requested.loadBalancerPool ?? saved?.loadBalancerPool ?? DEFAULT_LOAD_BALANCER_POOL,
    ipFamily: requested.ipFamily ?? saved?.ipFamily ?? 'ipv4',
    maxPods: chooseMaxPods(
      nodeCount,
      requested.maxPods ?? podsOf(requested.instanceType),
      saved?.maxPods,
      podsOf(instanceType),
    ),
    timing: requested.timing ?? saved?.timing ?? 'lab',
    authorizationMode: requested.authorizationMode ?? saved?.authorizationMode ?? 'AlwaysAllow',
    apiservers: requested.apiservers ?? saved?.apiservers ?? 1,
    apiPort,
    natsPort,
    addressBlock,
  };
  // Not before all that may be wrong with the command: a mistake costs nobody what is stored.
  if (request.fresh) folder.forget();
  writeSettings(folder.settingsFile, settings);
  const plan = {
    folder,
    settings,
    nodes: await planNodes(nodeCount, addressBlock),
    apiPorts: await choosePorts(settings, claim),
    logLevel: request.logLevel,
    allowNetns: request.allowNetns,
    allowedHostPaths: (request.allowedHostPaths ?? []).map((path) => resolve(path)),
    io: request.io ?? {},
    egress: request.egress ?? 'none',
    dnsListen: request.dnsListen,
    // All bundles lie in one folder.
    programs: (name: ProcessName) => join(dirname(apiserver), `${name}.mjs`),
    compileCache: join(cacheFolder(), 'compiled'),
  };
  if (nats.kind === 'external') {
    await meetServer(nats.url, nats.token, folder.name, request.fresh);
    return { ...plan, natsUrl: nats.url, natsToken: nats.token, natsServer: undefined };
  }
  const { configFile, token } = writeNatsServerFiles(folder.natsFolder, {
    host: '127.0.0.1',
    port: natsPort,
    storeFolder: join(folder.natsFolder, 'store'),
  });
  const natsServer = { program: nats.path, configFile };
  return { ...plan, natsUrl: `nats://127.0.0.1:${natsPort}`, natsToken: token, natsServer };
}

/** DNS needs the same port of UDP and TCP. */
async function checkDnsListen({ host, port }: HostPort): Promise<void> {
  const outcomes = await Promise.all([tryUdpPort(port, host), tryTcpPort(port, host)]);
  const problem = DNS_PORT_PROBLEMS.find(([outcome]) => outcomes.includes(outcome))?.[1];
  if (problem !== undefined) throw new UserError(`--dns-listen ${host}:${port}: ${problem}`);
}

const DNS_PORT_PROBLEMS: readonly (readonly [BindOutcome, string])[] = [
  ['no-such-address', 'this machine has no such address: name one of its own such as 127.0.0.1'],
  ['not-allowed', 'this user may not bind a port below 1024: choose a higher one such as 1053'],
  ['taken', 'the port is taken by another process: choose another one'],
];

const POD_CIDR_PREFIX_LENGTH = 16;

function defaultInstanceType(cni: CniPluginName): string | undefined {
  return cni === 'aws-vpc' ? DEFAULT_INSTANCE_TYPE : undefined;
}

function podsOf(instanceType: string | undefined): number | undefined {
  const limits = interfaceLimits(instanceType ?? '');
  return limits && maxPodsOf(limits);
}

function chooseMaxPods(
  nodes: number,
  requested: number | undefined,
  saved: number | undefined,
  ofInstance: number | undefined,
): number {
  const maxPods = requested ?? saved ?? ofInstance ?? DEFAULT_MAX_PODS;
  if (saved !== undefined && nodeMaskSize(maxPods) !== nodeMaskSize(saved)) {
    throw new UserError(
      `the nodes of this cluster have a /${nodeMaskSize(saved)} each, and ${maxPods} pods need a /${nodeMaskSize(maxPods)}: begin anew with --fresh`,
    );
  }
  const blocks = nodeBlocks(POD_CIDR_PREFIX_LENGTH, maxPods);
  if (nodes > blocks) {
    throw new UserError(`the pod network has room for ${blocks} nodes of ${maxPods} pods: lower --nodes or --max-pods`);
  }
  return maxPods;
}

/** A server of the user's own must be there before anything waits for it; the store in it is not in the state folder. */
async function meetServer(
  url: string,
  token: string | undefined,
  cluster: string,
  forgetsStore: boolean,
): Promise<void> {
  const [{ connectBus }, { checkServer }, { deleteStore }] = await Promise.all([
    import('../../shared/bus/connection.ts'),
    import('../nats-server/server-check.ts'),
    import('../../shared/bus/object-store.ts'),
  ]);
  const connecting = connectBus({ url, token, cluster, clientName: 'supervisor', connectTimeoutMs: 5000 });
  const bus = await connecting.catch((error: unknown) => {
    throw new UserError(`${messageOf(error)}: set NATS_URL (and NATS_TOKEN) to a server that runs, or unset it`);
  });
  try {
    checkServer(bus, url);
    if (forgetsStore) await deleteStore(bus);
  } finally {
    await bus.close();
  }
}

/** One for each apiserver: the first one's, and the next free ones. */
async function choosePorts({ apiPort, apiservers }: ClusterSettings, claim: Claim): Promise<number[]> {
  const ports = [apiPort];
  while (ports.length < apiservers) {
    const port = await nextFreeTcpPort((ports.at(-1) as number) + 1, claim);
    if (port === undefined) throw new UserError(`no port above ${apiPort} is free for another apiserver`);
    ports.push(port);
  }
  return ports;
}

/** A port that was asked for must be free; else the last one if it is free, else the first free one from the default. */
async function choosePort(
  what: string,
  option: string,
  requested: number | undefined,
  saved: number | undefined,
  fallback: number,
  claim: Claim,
): Promise<number> {
  if (requested !== undefined) {
    const outcome = await tryTcpPort(requested);
    if (outcome === 'free') {
      claimTcpPort(requested, claim);
      return requested;
    }
    const problem = outcome === 'not-allowed' ? 'may not be bound by this user' : 'is taken by another process';
    throw new UserError(`port ${requested} for ${what} ${problem}: choose another with ${option}, or leave it out`);
  }
  if (saved !== undefined && (await tryTcpPort(saved)) === 'free' && claimTcpPort(saved, claim)) return saved;
  const port = await nextFreeTcpPort(fallback, claim);
  if (port === undefined)
    throw new UserError(`no port at or above ${fallback} is free for ${what}: name one with ${option}`);
  return port;
}
