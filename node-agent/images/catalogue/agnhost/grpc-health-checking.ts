/** `agnhost grpc-health-checking`: the health service of gRPC, which turns bad after a while or when it is told to over HTTP. */
import { healthServer } from '../../../../shared/podnet/grpc-health.ts';
import { parseGoFlags } from '../go-flags.ts';
import { goLogLine } from '../go-log.ts';
import { GO_TERMINATED, serviceProgram } from '../service.ts';

const NEVER = -1;

export const grpcHealthChecking = serviceProgram(async (service) => {
  const { flags } = parseGoFlags(service.context.argv.slice(2), {
    port: '5000',
    'http-port': '8080',
    service: 'main',
    'delay-unhealthy-sec': NEVER,
  });
  service.onSignals(['SIGTERM', 'SIGINT'], () => service.finish(GO_TERMINATED));
  let serving = true;
  const delaySeconds = flags['delay-unhealthy-sec'];
  if (delaySeconds > NEVER) {
    const timer = setTimeout(() => {
      serving = false;
    }, delaySeconds * 1000);
    service.onClose(() => clearTimeout(timer));
  }
  const accept = healthServer((name) => {
    if (name !== '' && name !== flags.service) return undefined;
    return serving ? 'SERVING' : 'NOT_SERVING';
  });
  await service.tcp({ port: Number(flags.port) }, accept);
  await service.http({ port: Number(flags['http-port']) }, (request, response) => {
    const known = request.url === '/make-not-serving' || request.url === '/make-serving';
    if (known) serving = request.url === '/make-serving';
    response.writeHead(known ? 200 : 404).end();
  });
  service.log(goLogLine(`gRPC health checking on :${flags.port}, HTTP on :${flags['http-port']}`));
});
