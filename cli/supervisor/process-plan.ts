/** Which processes a cluster consists of, each with its program and environment. */
import { podCidrOf } from '../../shared/runtime/cni-plugins.ts';
import type { Egress, HostPort, IoTierName } from '../../shared/runtime/config.ts';
import { nodeOptions, type ProcessName } from '../../shared/runtime/entry-point.ts';
import type { LogLevel } from '../../shared/runtime/log.ts';
import type { NodeAddress } from '../address-plan.ts';
import type { ClusterFolder } from '../cluster-folder.ts';
import type { ClusterSettings, Timing } from '../cluster-settings.ts';
import type { ProcessSpec } from './process-slot.ts';

/** How the nodes' sockets work; what is not said is as the nodes' environment or their default has it. */
export interface NodeIoSettings {
  readonly tier?: IoTierName;
  readonly batches?: 'on' | 'off';
}

export interface ClusterPlan {
  readonly folder: ClusterFolder;
  readonly settings: ClusterSettings;
  readonly nodes: readonly NodeAddress[];
  /** One for each apiserver. */
  readonly apiPorts: readonly number[];
  readonly logLevel: LogLevel;
  /** Pods of the RuntimeClass `netns` may run programs of the machine. */
  readonly allowNetns: boolean;
  /** Absolute paths of folders that hostPath volumes may be. */
  readonly allowedHostPaths: readonly string[];
  readonly io: NodeIoSettings;
  readonly egress: Egress;
  /** Where the cluster's DNS is served on this machine too. */
  readonly dnsListen: HostPort | undefined;
  readonly natsUrl: string;
  readonly natsToken: string | undefined;
  /** Absent when the user brought a server (`$NATS_URL`). */
  readonly natsServer: { readonly program: string; readonly configFile: string } | undefined;
  readonly programs: (name: ProcessName) => string;
  /** Where Node keeps compiled code. */
  readonly compileCache: string;
}

type Environment = Record<string, string | undefined>;

/** In the order they are started; what they need of each other they wait for. */
export function planProcesses(plan: ClusterPlan): ProcessSpec[] {
  return [
    ...planNats(plan),
    ...plan.apiPorts.map((port, i) => planApiServer(plan, port, i + 1)),
    component(plan, 'controller-manager', {}),
    component(plan, 'scheduler', {}),
    component(plan, 'cloud-controller', { PODWIRE_LOAD_BALANCER_POOL: plan.settings.loadBalancerPool }),
    ...plan.nodes.map((node) => planNode(plan, node)),
    ...(plan.dnsListen === undefined ? [] : [planHostDns(plan, plan.dnsListen)]),
  ];
}

function planNats({ natsServer, folder }: ClusterPlan): ProcessSpec[] {
  if (natsServer === undefined) return [];
  return [
    {
      name: 'nats-server',
      kind: 'foreign',
      program: natsServer.program,
      arguments: ['-c', natsServer.configFile],
      // One thread at a time is plenty for our processes, and a message then wakes one instead of two or three.
      environment: { GOMAXPROCS: '1', ...process.env },
      logFile: folder.logFile('nats-server'),
      whenItEnds: 'restart',
    },
  ];
}

function component(plan: ClusterPlan, name: ProcessName, environment: Environment): ProcessSpec {
  return {
    name,
    kind: 'node',
    program: plan.programs(name),
    arguments: [],
    nodeOptions: nodeOptions(name),
    environment: { ...commonEnvironment(plan), ...environment },
    logFile: plan.folder.logFile(name),
    whenItEnds: 'restart',
  };
}

/** `apiserver`, `apiserver-2`, ... */
function planApiServer(plan: ClusterPlan, port: number, number: number): ProcessSpec {
  const name = number === 1 ? 'apiserver' : `apiserver-${number}`;
  return {
    ...component(plan, 'apiserver', {
      PODWIRE_API_PORT: String(port),
      PODWIRE_API_PKI_DIR: plan.folder.pkiFolder,
      PODWIRE_API_AUTHORIZATION_MODE: plan.settings.authorizationMode,
      PODWIRE_API_SERVER_NUMBER: String(number),
    }),
    name,
    logFile: plan.folder.logFile(name),
  };
}

function planNode(plan: ClusterPlan, node: NodeAddress): ProcessSpec {
  return {
    ...component(plan, 'node-agent', {
      PODWIRE_NODE_NAME: node.name,
      PODWIRE_NODE_INTERNAL_IP: node.internalIp,
      PODWIRE_NODE_INTERNAL_IPV6: plan.settings.ipFamily === 'dual' ? node.internalIpv6 : undefined,
      PODWIRE_NODE_BIND_ADDRESS: node.bindAddress,
      PODWIRE_VXLAN_PORT: String(node.vxlanPort),
      PODWIRE_ALLOW_NETNS: plan.allowNetns ? 'yes' : 'no',
      PODWIRE_ALLOW_HOST_PATH: plan.allowedHostPaths.length === 0 ? undefined : plan.allowedHostPaths.join(':'),
      ...ioTier(plan),
      ...(plan.io.batches === undefined ? {} : { PODWIRE_IO_BATCHES: plan.io.batches }),
    }),
    name: node.name,
    logFile: plan.folder.logFile(node.name),
    whenItEnds: 'stay-dead',
  };
}

/** CoreDNS once more, on a socket of this machine. */
function planHostDns(plan: ClusterPlan, { host, port }: HostPort): ProcessSpec {
  const name = 'dns-listen';
  return {
    ...component(plan, 'coredns', ioTier(plan)),
    name,
    arguments: ['--listen', host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`],
    logFile: plan.folder.logFile(name),
  };
}

function ioTier({ io }: ClusterPlan): Environment {
  return io.tier === undefined ? {} : { PODWIRE_IO_TIER: io.tier };
}

const TIMING_ENVIRONMENT: Readonly<Record<Timing, Environment>> = {
  // The processes' own defaults.
  lab: {},
  kubernetes: {
    PODWIRE_NODE_LEASE_RENEW_MS: '10000',
    PODWIRE_NODE_GRACE_MS: '40000',
    PODWIRE_EVICTION_AFTER_MS: '300000',
  },
};

function commonEnvironment(plan: ClusterPlan): Environment {
  const { settings, folder } = plan;
  return {
    ...withoutPodwireVariables(process.env),
    NODE_COMPILE_CACHE: plan.compileCache,
    // One heap of the C library for all threads: less memory, and these processes have one thread that works.
    MALLOC_ARENA_MAX: '1',
    PODWIRE_CLUSTER: folder.name,
    PODWIRE_STATE_DIR: folder.path,
    PODWIRE_NATS_URL: plan.natsUrl,
    PODWIRE_NATS_TOKEN: plan.natsToken,
    PODWIRE_LOG_LEVEL: plan.logLevel,
    PODWIRE_CNI: settings.cni,
    PODWIRE_POD_CIDR: podCidrOf(settings.cni),
    PODWIRE_CNI_BACKEND: settings.cniBackend,
    PODWIRE_CNI_SETTINGS: JSON.stringify(settings.cniSettings ?? {}),
    PODWIRE_INSTANCE_TYPE: settings.instanceType,
    PODWIRE_POLICY_ESTABLISHED: settings.policyEstablished,
    PODWIRE_PROXY_MODE: settings.proxyMode,
    PODWIRE_IP_FAMILY: settings.ipFamily,
    PODWIRE_EGRESS: plan.egress,

    PODWIRE_MAX_PODS: String(settings.maxPods),
    ...TIMING_ENVIRONMENT[settings.timing],
  };
}

/** Whose values are about this command, not about the cluster's processes; NODE_OPTIONS stays for who debugs. */
const OWN_VARIABLES = new Set(['PODWIRE_HOME', 'PODWIRE_NATS_RELEASE_URL']);

function withoutPodwireVariables(environment: Environment): Environment {
  const rest: Environment = {};
  for (const [name, value] of Object.entries(environment)) if (!OWN_VARIABLES.has(name)) rest[name] = value;
  return rest;
}
