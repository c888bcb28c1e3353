/** `agnhost serve-hostname`: the pod's name over HTTP, TCP (then it closes) or UDP, each on the same port number. */
import { parseGoFlags } from '../go-flags.ts';
import { goLogLine } from '../go-log.ts';
import { GO_TERMINATED, serviceProgram } from '../service.ts';

export const serveHostname = serviceProgram(async (service) => {
  const { flags } = parseGoFlags(service.context.argv.slice(2), {
    tcp: false,
    udp: false,
    http: true,
    close: false,
    port: 9376,
  });
  const { hostname } = service.context.container;
  const { port } = flags;
  service.onSignals(['SIGTERM', 'SIGINT'], () => service.finish(GO_TERMINATED));
  if (flags.udp) {
    await service.udp({ port }, () => hostname);
    service.log(goLogLine(`Serving on udp port ${port}.`));
  }
  if (flags.tcp) {
    await service.tcp({ port }, (socket) => {
      socket.resume();
      socket.end(hostname);
    });
    service.log(goLogLine(`Serving on tcp port ${port}.`));
  } else if (flags.http) {
    await service.http({ port }, (request, response) => {
      service.log(goLogLine(`HTTP request from ${request.socket.remoteAddress}:${request.socket.remotePort}`));
      if (flags.close) response.setHeader('Connection', 'close');
      response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' }).end(hostname);
    });
    service.log(goLogLine(`Serving on http port ${port}.`));
  }
});
