/** `agnhost pause`: says so and waits for SIGTERM. */
import { GO_TERMINATED, serviceProgram } from '../service.ts';

export const pause = serviceProgram((service) => {
  service.print('Paused');
  service.onSignals(['SIGTERM', 'SIGINT'], () => service.finish(GO_TERMINATED));
});
