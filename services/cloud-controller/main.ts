/** The cloud-controller: what a cloud would do for the cluster, which here is addresses of load balancers. */
import type { Service } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../shared/api/live.ts';
import { SERVICES } from '../../shared/api/resources.ts';
import { createComponentClients } from '../../shared/bus/api-client.ts';
import { createInformer } from '../../shared/bus/informer.ts';
import { leadProcess } from '../../shared/bus/leading-process.ts';
import { connectProcessBus } from '../../shared/bus/process-bus.ts';
import { ConfigError } from '../../shared/runtime/config.ts';
import { runProcess } from '../../shared/runtime/process.ts';
import { parsePool } from './address-pool.ts';
import { ServiceController } from './service-controller.ts';

await runProcess({
  name: 'cloud-controller',
  async start(context) {
    const { config, log, shutdown, clock } = context;
    const pool = parsePool(config.loadBalancerPool);
    if (pool === undefined) {
      throw new ConfigError(
        `PODWIRE_LOAD_BALANCER_POOL is '${config.loadBalancerPool}': expected a range such as 192.168.1.240-192.168.1.250`,
      );
    }
    const bus = await connectProcessBus(context, 'cloud-controller');
    const clients = createComponentClients(bus, 'system:cloud-controller-manager');
    const services = createInformer<Live<Service>>(bus, SERVICES);
    leadProcess(context, {
      lease: 'cloud-controller-manager',
      api: clients.urgent,
      async onStarted() {
        await services.start();
        const { api, events: eventApi } = clients;
        const controller = new ServiceController({ api, eventApi, services, pool, clock, log });
        shutdown.onStop('service controller', () => controller.stop());
        log.info({ pool: config.loadBalancerPool }, 'load balancers are served');
      },
    });
  },
});
