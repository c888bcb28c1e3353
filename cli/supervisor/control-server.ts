import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { messageOf, systemErrorCode } from '../user-error.ts';
import {
  type ControlReply,
  type ControlRequest,
  decodeControlRequest,
  type SupervisorStatus,
} from './control-protocol.ts';

export type ControlHandler = (request: ControlRequest) => Promise<SupervisorStatus>;

const REQUEST_LIMIT_BYTES = 64 * 1024;

/** The supervisor's end of the control socket; having it bound is what makes a process the cluster's supervisor. */
export class ControlServer {
  private readonly path: string;
  private readonly handler: ControlHandler;
  private readonly server: Server;

  constructor(path: string, handler: ControlHandler) {
    this.path = path;
    this.handler = handler;
    // Half-open: a client may end its side after the request.
    this.server = createServer({ allowHalfOpen: true }, (socket) => this.accept(socket));
  }

  /** False when the path is bound already, by a living supervisor or by one that was killed. */
  listen(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        if (systemErrorCode(error) === 'EADDRINUSE') resolve(false);
        else reject(error);
      };
      this.server.once('error', fail);
      const mask = process.umask(0o077);
      this.server.listen(this.path, () => {
        this.server.off('error', fail);
        resolve(true);
      });
      process.umask(mask);
    });
  }

  close(): void {
    this.server.close();
    this.removeFile();
  }

  /** For the socket that a killed supervisor left. */
  removeFile(): void {
    rmSync(this.path, { force: true });
  }

  private accept(socket: Socket): void {
    let received = '';
    const giveUp = (): void => void socket.destroy();
    socket.setEncoding('utf8');
    socket.on('error', giveUp);
    socket.on('end', giveUp);
    socket.on('data', (text: string) => {
      received += text;
      const end = received.indexOf('\n');
      if (end === -1) {
        if (received.length > REQUEST_LIMIT_BYTES) giveUp();
        return;
      }
      socket.off('end', giveUp);
      socket.removeAllListeners('data');
      void this.answer(socket, received.slice(0, end));
    });
  }

  private async answer(socket: Socket, line: string): Promise<void> {
    let reply: ControlReply;
    try {
      const request = decodeControlRequest(JSON.parse(line));
      reply =
        request === undefined
          ? { ok: false, message: 'the supervisor does not know this request' }
          : { ok: true, status: await this.handler(request) };
    } catch (error) {
      reply = { ok: false, message: messageOf(error) };
    }
    socket.end(`${JSON.stringify(reply)}\n`);
  }
}
