/** The scheduler: gives every pod a node; of several such processes the holder of a Lease works. */
import { hostname } from 'node:os';
import type { Namespace, Node, Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../shared/api/live.ts';
import type { ResourceRef } from '../../shared/api/resource.ts';
import { NAMESPACES, NODES, PODS } from '../../shared/api/resources.ts';
import { createComponentClients } from '../../shared/bus/api-client.ts';
import { connectBus } from '../../shared/bus/connection.ts';
import { EventRecorder } from '../../shared/bus/event-recorder.ts';
import { createInformer, type Informer } from '../../shared/bus/informer.ts';
import { runAsLeader } from '../../shared/bus/leader-election.ts';
import { runProcess } from '../../shared/runtime/process.ts';
import { SCHEDULER_NAME, Scheduler } from './scheduler.ts';

await runProcess({
  name: 'scheduler',
  async start({ config, log, shutdown, clock, health, metrics, random }) {
    const bus = await connectBus({
      url: config.natsUrl,
      token: config.natsToken,
      cluster: config.cluster,
      clientName: 'scheduler',
      log,
    });
    shutdown.onStop('bus', () => bus.close());
    health.addCheck('nats', () => (bus.connected ? undefined : 'the connection is down'));
    const clients = createComponentClients(bus, 'system:kube-scheduler');
    const watched = <T extends Live<object>>(resource: ResourceRef): Informer<T> =>
      createInformer<T>(bus, resource, { transform: withoutManagedFields });
    const pods = watched<Live<Pod>>(PODS);
    const nodes = watched<Live<Node>>(NODES);
    const namespaces = watched<Live<Namespace>>(NAMESPACES);
    const events = new EventRecorder({ api: clients.events, clock, log, source: { component: SCHEDULER_NAME } });
    const scheduler = new Scheduler({
      api: clients.api,
      events,
      pods,
      nodes,
      namespaces,
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
    const election = runAsLeader(clients.urgent, {
      name: 'kube-scheduler',
      // The same after a restart, so that a killed leader's successor need not wait for the Lease to run out.
      identity: `scheduler_${hostname()}`,
      clock,
      log,
      signal: shutdown.signal,
      async onStarted(signal) {
        signal.addEventListener('abort', () => {
          if (!shutdown.signal.aborted) process.exit(1);
        });
        await Promise.all([pods.start(), nodes.start(), namespaces.start()]);
        scheduler.start();
        log.info('scheduling');
      },
    });
    election.catch((error: unknown) => {
      log.fatal({ error }, 'the scheduler could not be started');
      process.exit(1);
    });
    shutdown.onStop('election', () => election);
    shutdown.onStop('scheduler', () => scheduler.stop());
  },
});

function withoutManagedFields<T extends Live<object>>(object: T): T {
  delete object.metadata.managedFields;
  return object;
}
