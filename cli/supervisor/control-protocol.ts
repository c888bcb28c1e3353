/**
 * What the other commands say to the supervisor over its Unix socket: one JSON object a line each way, one request a
 * connection. That the socket answers is the proof that the cluster runs; a file left by a killed supervisor does not.
 */
import { isJsonObject } from '../../shared/api/object.ts';
import type { ProcessState, ProcessStatus } from './process-slot.ts';

export type ControlRequest =
  | { readonly command: 'status' }
  | { readonly command: 'stop' }
  | { readonly command: 'node'; readonly action: NodeAction; readonly node: string };

export const NODE_ACTIONS = ['kill', 'stop', 'start'] as const;
export type NodeAction = (typeof NODE_ACTIONS)[number];

export interface NodePlacement {
  readonly name: string;
  readonly internalIp: string;
  /** `127.0.1.10:4789` */
  readonly endpoint: string;
}

export interface SupervisorStatus {
  readonly cluster: string;
  readonly pid: number;
  readonly startedAtMs: number;
  /** Nodes Ready and CoreDNS available at least once. */
  readonly ready: boolean;
  readonly natsUrl: string;
  readonly natsToken: string | undefined;
  readonly apiPort: number;
  readonly kubeconfig: string;
  readonly nodes: readonly NodePlacement[];
  readonly processes: readonly ProcessStatus[];
}

export type ControlReply =
  | { readonly ok: true; readonly status: SupervisorStatus }
  | { readonly ok: false; readonly message: string };

export function decodeControlRequest(value: unknown): ControlRequest | undefined {
  if (!isJsonObject(value)) return undefined;
  if (value.command === 'status' || value.command === 'stop') return { command: value.command };
  const action = NODE_ACTIONS.find((candidate) => candidate === value.action);
  if (value.command !== 'node' || action === undefined || typeof value.node !== 'string') return undefined;
  return { command: 'node', action, node: value.node };
}

export function decodeControlReply(value: unknown): ControlReply | undefined {
  if (!isJsonObject(value)) return undefined;
  if (value.ok === false && typeof value.message === 'string') return { ok: false, message: value.message };
  const status = decodeStatus(value.status);
  return value.ok === true && status !== undefined ? { ok: true, status } : undefined;
}

function decodeStatus(value: unknown): SupervisorStatus | undefined {
  if (!isJsonObject(value)) return undefined;
  const { cluster, pid, startedAtMs, natsUrl, apiPort, kubeconfig, nodes, processes } = value;
  if (typeof cluster !== 'string' || typeof natsUrl !== 'string' || typeof kubeconfig !== 'string') return undefined;
  if (typeof pid !== 'number' || typeof startedAtMs !== 'number' || typeof apiPort !== 'number') return undefined;
  if (!Array.isArray(nodes) || !Array.isArray(processes)) return undefined;
  return {
    cluster,
    pid,
    startedAtMs,
    ready: value.ready === true,
    natsUrl,
    natsToken: optionalText(value.natsToken),
    apiPort,
    kubeconfig,
    nodes: nodes.flatMap(decodeNode),
    processes: processes.flatMap(decodeProcess),
  };
}

function decodeNode(value: unknown): NodePlacement[] {
  if (!isJsonObject(value)) return [];
  const { name, internalIp, endpoint } = value;
  if (typeof name !== 'string' || typeof internalIp !== 'string' || typeof endpoint !== 'string') return [];
  return [{ name, internalIp, endpoint }];
}

const STATES: readonly ProcessState[] = ['starting', 'running', 'waiting', 'dead', 'stopped'];

function decodeProcess(value: unknown): ProcessStatus[] {
  if (!isJsonObject(value)) return [];
  const state = STATES.find((candidate) => candidate === value.state);
  if (typeof value.name !== 'string' || state === undefined || typeof value.restarts !== 'number') return [];
  return [
    {
      name: value.name,
      state,
      pid: optionalNumber(value.pid),
      startedAtMs: optionalNumber(value.startedAtMs),
      restarts: value.restarts,
      healthPort: optionalNumber(value.healthPort),
      lastEnd: optionalText(value.lastEnd),
      quickEnds: optionalNumber(value.quickEnds) ?? 0,
    },
  ];
}

function optionalNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function optionalText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
