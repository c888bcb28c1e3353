/** The controller-manager: all controllers in one process; of several such processes the holder of a Lease works. */
import type { Node } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../shared/api/live.ts';
import { isNodeReady } from '../../shared/api/node-condition.ts';
import { REGISTRY } from '../../shared/api/registry.ts';
import { groupResourceText, type ResourceRef } from '../../shared/api/resource.ts';
import { NODES } from '../../shared/api/resources.ts';
import { untoleratedTaint } from '../../shared/api/toleration.ts';
import { createComponentClients } from '../../shared/bus/api-client.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { leadProcess } from '../../shared/bus/leading-process.ts';
import { connectProcessBus } from '../../shared/bus/process-bus.ts';
import { type ProcessContext, runProcess } from '../../shared/runtime/process.ts';
import { bootstrapCluster } from './bootstrap/bootstrap.ts';
import { type ControllerEnvironment, type ControllerLoop, createLoop } from './controller.ts';
import { autoscalingController } from './controllers/autoscaling-controller.ts';
import { clusterRoleAggregation } from './controllers/cluster-role-aggregation.ts';
import { AllResources } from './controllers/custom-resources.ts';
import { disruptionController } from './controllers/disruption-controller.ts';
import { garbageCollector } from './controllers/garbage-collector-loop.ts';
import { installedNetworkController } from './controllers/installed-network.ts';
import {
  defaultAccountController,
  namespaceController,
  rootCaController,
} from './controllers/namespace-controllers.ts';
import {
  nodeIpamController,
  nodeLifecycleController,
  podGcController,
  taintEvictionController,
} from './controllers/node-controllers.ts';
import {
  endpointSliceController,
  endpointSliceMirroringController,
  endpointsController,
} from './controllers/service-endpoints-controllers.ts';
import { unenforcedPolicyController } from './controllers/unenforced-policy.ts';
import { validatedPolicies } from './controllers/validated-policies.ts';
import {
  cronJobController,
  daemonSetController,
  deploymentController,
  jobController,
  replicaSetController,
  replicationControllerController,
  statefulSetController,
} from './controllers/workloads.ts';
import { Informers } from './informers.ts';

const stored = REGISTRY.filter((definition) => !definition.virtual && isSameResource(definition.storage, definition));

function isSameResource(a: ResourceRef, b: ResourceRef): boolean {
  return groupResourceText(a) === groupResourceText(b) && a.version === b.version;
}

await runProcess({
  name: 'controller-manager',
  async start(context) {
    const { config, log, shutdown, clock } = context;
    const bus = await connectProcessBus(context, 'controller-manager');
    const clients = createComponentClients(bus, 'system:kube-controller-manager');
    const { api } = clients;
    const informers = new Informers(bus);
    const environment = { api, eventApi: clients.events, informers, clock, log };
    const loops = [...controllers(context, environment, bus), ...(await policyValidation(context, environment))];
    leadProcess(context, {
      lease: 'kube-controller-manager',
      api: clients.urgent,
      async onStarted(signal) {
        const placeableNodes = (): number => informers.of<Live<Node>>(NODES).list().filter(isPlaceable).length;
        const bootstrapped = bootstrapCluster({ api, clock, log, signal, config, placeableNodes });
        await informers.start();
        for (const loop of loops) loop.start();
        log.info({ controllers: loops.length }, 'controllers are running');
        await bootstrapped;
      },
    });
    shutdown.onStop('controllers', () => {
      for (const loop of loops) loop.stop();
    });
  },
});

function isPlaceable(node: Live<Node>): boolean {
  return isNodeReady(node) && untoleratedTaint(node.spec.taints, [], ['NoSchedule', 'NoExecute']) === undefined;
}

function controllers(
  { config, clock }: ProcessContext,
  environment: ControllerEnvironment,
  bus: Bus,
): ControllerLoop[] {
  const { api, informers } = environment;
  const nodeOptions = {
    clock,
    graceMs: config.nodeGraceMs,
    podCidr: config.podCidr,
    maxPods: config.maxPods,
    podCidrIpv6: config.ipv6?.podCidr,
  };
  const resources = new AllResources(informers, stored);
  return [
    createLoop(deploymentController(informers), environment),
    createLoop(replicaSetController(informers), environment),
    createLoop(replicationControllerController(informers), environment),
    createLoop(daemonSetController(informers), environment),
    createLoop(statefulSetController(informers), environment),
    createLoop(jobController(informers), environment),
    createLoop(cronJobController(informers), environment),
    createLoop(endpointSliceController(informers), environment),
    createLoop(endpointsController(informers), environment),
    createLoop(endpointSliceMirroringController(informers), environment),
    createLoop(disruptionController(informers), environment),
    createLoop(autoscalingController(informers, clock, api), environment),
    createLoop(nodeIpamController(informers, nodeOptions), environment),
    createLoop(nodeLifecycleController(informers, nodeOptions), environment),
    createLoop(taintEvictionController(informers), environment),
    createLoop(podGcController(informers, nodeOptions), environment),
    createLoop(defaultAccountController(informers), environment),
    createLoop(rootCaController(informers), environment),
    createLoop(clusterRoleAggregation(informers), environment),
    createLoop(unenforcedPolicyController(informers, config.cni), environment),
    ...(config.cni === 'none' ? [createLoop(installedNetworkController(informers, config), environment)] : []),
    createLoop(namespaceController(informers, api, resources), environment),
    createLoop(garbageCollector(bus, api, resources), environment),
  ];
}

/** Of clusters with cilium alone: it has a library of expressions. */
async function policyValidation(
  { config }: ProcessContext,
  environment: ControllerEnvironment,
): Promise<ControllerLoop[]> {
  const resources = validatedPolicies(config.cni);
  if (resources.length === 0) return [];
  const { ciliumPolicyValidation } = await import('./controllers/cilium-policy-validation.ts');
  return resources.map((resource) => createLoop(ciliumPolicyValidation(environment.informers, resource), environment));
}
