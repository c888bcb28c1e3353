/** The cloud-controller: what a cloud would do for the cluster, which here is addresses of load balancers. */
import { hostname } from 'node:os';
import type { Service } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../shared/api/live.ts';
import { SERVICES } from '../../shared/api/resources.ts';
import { createComponentClients } from '../../shared/bus/api-client.ts';
import { connectBus } from '../../shared/bus/connection.ts';
import { createInformer } from '../../shared/bus/informer.ts';
import { runAsLeader } from '../../shared/bus/leader-election.ts';
import { ConfigError } from '../../shared/runtime/config.ts';
import { runProcess } from '../../shared/runtime/process.ts';
import { parsePool } from './address-pool.ts';
import { ServiceController } from './service-controller.ts';

await runProcess({
  name: 'cloud-controller',
  async start({ config, log, shutdown, clock, health }) {
    const pool = parsePool(config.loadBalancerPool);
    if (pool === undefined) {
      throw new ConfigError(
        `PODWIRE_LOAD_BALANCER_POOL is '${config.loadBalancerPool}': expected a range such as 192.168.1.240-192.168.1.250`,
      );
    }
    const bus = await connectBus({
      url: config.natsUrl,
      token: config.natsToken,
      cluster: config.cluster,
      clientName: 'cloud-controller',
      log,
    });
    shutdown.onStop('bus', () => bus.close());
    health.addCheck('nats', () => (bus.connected ? undefined : 'the connection is down'));
    const clients = createComponentClients(bus, 'system:cloud-controller-manager');
    const services = createInformer<Live<Service>>(bus, SERVICES);
    const election = runAsLeader(clients.urgent, {
      name: 'cloud-controller-manager',
      // The same after a restart, so that a killed leader's successor need not wait for the Lease to run out.
      identity: `cloud-controller_${hostname()}`,
      clock,
      log,
      signal: shutdown.signal,
      async onStarted(signal) {
        signal.addEventListener('abort', () => {
          if (!shutdown.signal.aborted) process.exit(1);
        });
        await services.start();
        const { api, events: eventApi } = clients;
        const controller = new ServiceController({ api, eventApi, services, pool, clock, log });
        shutdown.onStop('service controller', () => controller.stop());
        log.info({ pool: config.loadBalancerPool }, 'load balancers are served');
      },
    });
    election.catch((error: unknown) => {
      log.fatal({ error }, 'the cloud-controller could not be started');
      process.exit(1);
    });
    shutdown.onStop('election', () => election);
  },
});
