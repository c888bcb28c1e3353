/** HTTPS of a service: Node's TLS over the pod's sockets. */
import { createServer, type ServerOptions } from 'node:https';
import { HttpListener } from './http-listener.ts';
import type { HttpHandler, ListenAddress, Service } from './service.ts';

/** Serves HTTP over TLS with this certificate and key (PEM). Throws `ListenError`. */
export async function listenHttps(
  service: Service,
  listen: ListenAddress,
  handler: HttpHandler,
  tls: ServerOptions,
): Promise<HttpListener> {
  const listener = new HttpListener();
  const https = createServer(tls, (request, response) => {
    listener.hasRequest(response);
    void service.answer(handler, request, response);
  });
  listener.upgrades = https;
  // A client that speaks no TLS, or does not trust us, ends its own connection only.
  https.on('tlsClientError', (_error, socket) => socket.destroy());
  listener.closer = await service.tcp(listen, (socket) => {
    listener.hasConnection(socket);
    https.emit('connection', socket);
  });
  return listener;
}
