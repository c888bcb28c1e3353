/**
 * Packet traces for `podwire trace` over the bus:
 * `{action: 'start', addresses?, ports?, protocol?}` -> `{id}`; `{action: 'read' | 'stop', id}` -> `{hops}`.
 * A trace that nobody reads for a while ends by itself, so that one that was forgotten costs nothing.
 */
import { isJsonObject, type JsonObject } from '../../shared/api/object.ts';
import { badRequest } from '../../shared/api/status.ts';
import type { Bus, BusSubscription } from '../../shared/bus/connection.ts';
import { NODE_TRACE } from '../../shared/bus/subjects.ts';
import type { Clock, Timer } from '../../shared/runtime/clock.ts';
import { parseAddress } from '../../shared/wire/ip-address.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import type { Trace, TraceFilter } from '../datapath/trace.ts';

const IDLE_LIMIT_MS = 60_000;
const PROTOCOLS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17 };

interface RunningTrace {
  readonly trace: Trace;
  expiry: Timer;
}

export class TraceServer {
  private readonly datapath: NodeDatapath;
  private readonly clock: Clock;
  private readonly running = new Map<number, RunningTrace>();
  private nextId = 1;

  constructor(datapath: NodeDatapath, clock: Clock) {
    this.datapath = datapath;
    this.clock = clock;
  }

  serve(bus: Bus, node: string): BusSubscription {
    return bus.serve(NODE_TRACE, { node }, async (request) => this.answer(request));
  }

  close(): void {
    for (const id of [...this.running.keys()]) this.stop(id);
  }

  private answer(request: JsonObject): JsonObject {
    if (request.action === 'start') return { id: this.start(decodeFilter(request)) };
    const id = Number(request.id);
    const running = this.running.get(id);
    if (running === undefined) throw badRequest(`there is no trace ${String(request.id)} on this node`);
    const hops = [...running.trace.hops];
    if (request.action === 'stop') this.stop(id);
    else if (request.action === 'read') this.extend(id, running);
    else throw badRequest(`a trace request wants start, read or stop, not ${String(request.action)}`);
    return { hops };
  }

  private start(filter: TraceFilter): number {
    const id = this.nextId++;
    const trace = this.datapath.trace(filter);
    this.running.set(id, { trace, expiry: this.clock.setTimer(IDLE_LIMIT_MS, () => this.stop(id)) });
    return id;
  }

  private extend(id: number, running: RunningTrace): void {
    running.expiry.cancel();
    running.expiry = this.clock.setTimer(IDLE_LIMIT_MS, () => this.stop(id));
  }

  private stop(id: number): void {
    const running = this.running.get(id);
    if (running === undefined) return;
    running.expiry.cancel();
    running.trace.stop();
    this.running.delete(id);
  }
}

/** Throws ApiError BadRequest. */
export function decodeFilter(request: JsonObject): TraceFilter {
  if (!isJsonObject(request)) throw badRequest('a trace filter is an object');
  const addresses = list(request.addresses, 'addresses').map((text) => {
    const address = typeof text === 'string' ? parseAddress(text) : undefined;
    if (address === undefined) throw badRequest(`${String(text)} is no address`);
    return address;
  });
  const ports = list(request.ports, 'ports').map((port) => {
    if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) {
      throw badRequest(`${String(port)} is no port`);
    }
    return port;
  });
  return { addresses, ports, protocol: decodeProtocol(request.protocol) };
}

function decodeProtocol(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const protocol = typeof value === 'string' ? PROTOCOLS[value] : undefined;
  if (protocol === undefined)
    throw badRequest(`a trace follows ${Object.keys(PROTOCOLS).join(', ')}, not ${String(value)}`);
  return protocol;
}

function list(value: unknown, field: string): unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw badRequest(`${field} of a trace is a list`);
  return value;
}
