/**
 * A node: its kernel (devices, bridge, connections, rules, tunnels), its CNI plugin and its kubelet, in one process.
 *
 *   environment -> bus, kernel -> node serves its rules and traces -> kubelet
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { connectProcessBus } from '../shared/bus/process-bus.ts';
import { NODE_RULES } from '../shared/bus/subjects.ts';
import { RulesDecodeError } from '../shared/rules/decode-error.ts';
import { decodeTransaction } from '../shared/rules/decode-transaction.ts';
import type { RulesMessage } from '../shared/rules/encode-transaction.ts';
import type { RulesReply } from '../shared/rules/transaction.ts';
import { ConfigError, readNodeConfig } from '../shared/runtime/config.ts';
import { nodesFolder } from '../shared/runtime/node-folder.ts';
import { type ProcessContext, runProcess } from '../shared/runtime/process.ts';
import { parsePrefix } from '../shared/wire/ip-address.ts';
import { loadPlugin } from './cni/registry.ts';
import { slicesOnDemand } from './io/thread-slice.ts';
import { type NodeKernel, startKernel } from './kernel.ts';
import { startKubelet } from './kubelet.ts';
import { serveIo } from './node/io-server.ts';
import { serveLinkFaults } from './node/link-fault-server.ts';
import { registerMetrics } from './node/metrics.ts';
import { serveProbes } from './node/probe-server.ts';
import { TraceServer } from './node/trace-server.ts';

/** A handshake and a few answers of pods: probes of the kubelet are not forwarded, so an idle node has none. */
const FORWARDED_TO_COMPILE = 16;

async function start(context: ProcessContext): Promise<void> {
  const { config, log, random, shutdown } = context;
  const node = readNodeConfig(context.environment);
  const { stateDir } = config;
  if (stateDir === undefined)
    throw new ConfigError('PODWIRE_STATE_DIR is not set: a node keeps addresses and logs there');
  const clusterCidr = parsePrefix(config.podCidr);
  if (clusterCidr === undefined) throw new ConfigError(`PODWIRE_POD_CIDR is '${config.podCidr}': expected a block`);
  const clusterCidrIpv6 = config.ipv6 === undefined ? undefined : parsePrefix(config.ipv6.podCidr);
  const [bus, kernel, createPlugin] = await Promise.all([
    connectProcessBus(context, `node-agent ${node.nodeName}`),
    startKernel({ node, clusterCidr, clusterCidrIpv6, bootId: randomUUID(), random }),
    loadPlugin(config.cni),
  ]);
  shutdown.onStop('kernel', () => kernel.close());
  context.compileWhen.push(() => kernel.datapath.netfilter.forwarded > FORWARDED_TO_COMPILE);
  log.info({ endpoint: kernel.endpoint, io: kernel.io, bootId: kernel.datapath.bootId }, 'kernel started');
  const rules = bus.serve(NODE_RULES, { node: node.nodeName }, async (message) => applyRules(kernel, message));
  shutdown.onStop('rules', () => rules.unsubscribe());
  const traces = new TraceServer(kernel.datapath, context.clock);
  const traceRequests = traces.serve(bus, node.nodeName);
  shutdown.onStop('traces', () => {
    traceRequests.unsubscribe();
    traces.close();
  });
  const stateFolder = join(nodesFolder(stateDir), node.nodeName);
  const linkFaults = serveLinkFaults(bus, kernel);
  // They need what that tier needs.
  if (kernel.io.tier === 'polled') {
    kernel.datapath.faults.onPresence = slicesOnDemand((reason) => log.info({ reason }, 'no short slices for delays'));
  }
  shutdown.onStop('link faults', () => linkFaults.unsubscribe());
  const probes = serveProbes(bus, kernel);
  shutdown.onStop('probes', () => probes.unsubscribe());
  const io = serveIo(bus, kernel, node.nodeName);
  shutdown.onStop('io', () => io.unsubscribe());
  const pods = await startKubelet({ context, node, stateFolder, bus, kernel, createPlugin });
  registerMetrics(context.metrics, kernel, pods);
}

async function applyRules({ loop, datapath }: NodeKernel, message: RulesMessage): Promise<RulesReply> {
  return loop.run(() => {
    try {
      return datapath.applyRules(decodeTransaction(message));
    } catch (error) {
      if (!(error instanceof RulesDecodeError)) throw error;
      const problem = { where: error.path, message: error.message };
      return { kind: 'invalid', bootId: datapath.bootId, problems: [problem] };
    }
  });
}

await runProcess({ name: 'node-agent', start });
