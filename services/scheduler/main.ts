/** The scheduler: gives every pod a node; of several such processes the holder of a Lease works. */
import type { Namespace, Node, Pod } from 'kubernetes-types/core/v1.js';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js';
import type { Live } from '../../shared/api/live.ts';
import type { ResourceRef } from '../../shared/api/resource.ts';
import { NAMESPACES, NODES, PODDISRUPTIONBUDGETS, PODS } from '../../shared/api/resources.ts';
import { createComponentClients } from '../../shared/bus/api-client.ts';
import { EventRecorder } from '../../shared/bus/event-recorder.ts';
import { createInformer, type Informer } from '../../shared/bus/informer.ts';
import { leadProcess } from '../../shared/bus/leading-process.ts';
import { connectProcessBus } from '../../shared/bus/process-bus.ts';
import { runProcess } from '../../shared/runtime/process.ts';
import { SCHEDULER_NAME, Scheduler } from './scheduler.ts';

await runProcess({
  name: 'scheduler',
  async start(context) {
    const { log, shutdown, clock, metrics, random } = context;
    const bus = await connectProcessBus(context, 'scheduler');
    const clients = createComponentClients(bus, 'system:kube-scheduler');
    const watched = <T extends Live<object>>(resource: ResourceRef): Informer<T> =>
      createInformer<T>(bus, resource, { transform: withoutManagedFields });
    const pods = watched<Live<Pod>>(PODS);
    const nodes = watched<Live<Node>>(NODES);
    const namespaces = watched<Live<Namespace>>(NAMESPACES);
    const budgets = watched<Live<PodDisruptionBudget>>(PODDISRUPTIONBUDGETS);
    const events = new EventRecorder({ api: clients.events, clock, log, source: { component: SCHEDULER_NAME } });
    const scheduler = new Scheduler({
      api: clients.api,
      events,
      pods,
      nodes,
      namespaces,
      budgets,
      clock,
      log,
      random: () => random.next(),
    });
    metrics.register({
      name: 'scheduler_schedule_attempts_total',
      help: 'Attempts to schedule a pod, by result.',
      type: 'counter',
      labelNames: ['result'],
      collect: () => Object.entries(scheduler.counters).map(([result, value]) => ({ labels: { result }, value })),
    });
    metrics.register({
      name: 'scheduler_pending_pods',
      help: 'Pods that wait for a node.',
      type: 'gauge',
      collect: () => scheduler.pendingCount,
    });
    leadProcess(context, {
      lease: 'kube-scheduler',
      api: clients.urgent,
      async onStarted() {
        await Promise.all([pods.start(), nodes.start(), namespaces.start(), budgets.start()]);
        scheduler.start();
        log.info('scheduling');
      },
    });
    shutdown.onStop('scheduler', () => scheduler.stop());
  },
});

function withoutManagedFields<T extends Live<object>>(object: T): T {
  delete object.metadata.managedFields;
  return object;
}
