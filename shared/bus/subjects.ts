/**
 * Every subject of the bus in one place: its name, who serves it, what travels on it, and the decoders that look at it.
 * On the wire a subject is `podwire.<cluster>.<pattern>`, parameters filled in.
 */
import type { JsonObject } from '../api/object.ts';
import { decodeLinkFaultReply, decodeLinkFaultRequest } from '../rules/decode-link-fault.ts';
import type { RulesMessage } from '../rules/encode-transaction.ts';
import type { LinkFaultReply, LinkFaultRequest } from '../rules/link-fault.ts';
import type { RulesReply } from '../rules/transaction.ts';
import {
  array,
  number,
  object,
  optionalNumber,
  optionalString,
  string,
  stringArray,
  stringMap,
  UnexpectedMessageError,
} from './message-fields.ts';
import { encodeToken, MAX_SUBJECT_LENGTH } from './store-layout.ts';

export type Decoder<T> = (value: unknown) => T;

/** Request and reply, answered by whoever serves it. */
export interface RequestSubject<Request, Response> {
  readonly kind: 'request';
  readonly pattern: string;
  readonly decodeRequest: Decoder<Request>;
  readonly decodeResponse: Decoder<Response>;
}

/** Published to all that listen at that moment. */
export interface EventSubject<T> {
  readonly kind: 'event';
  readonly pattern: string;
  readonly decode: Decoder<T>;
}

/** Opens a byte stream (`stream.ts`). */
export interface StreamSubject<Request> {
  readonly kind: 'stream';
  readonly pattern: string;
  readonly decodeRequest: Decoder<Request>;
}

export type SubjectParameters = Readonly<Record<string, string>>;

/** As a parameter of `subscribe`: whatever value. */
export const ANY = '*';

export function requestSubject<Request, Response>(
  pattern: string,
  decodeRequest: Decoder<Request>,
  decodeResponse: Decoder<Response>,
): RequestSubject<Request, Response> {
  return { kind: 'request', pattern, decodeRequest, decodeResponse };
}

export function eventSubject<T>(pattern: string, decode: Decoder<T>): EventSubject<T> {
  return { kind: 'event', pattern, decode };
}

export function streamSubject<Request>(pattern: string, decodeRequest: Decoder<Request>): StreamSubject<Request> {
  return { kind: 'stream', pattern, decodeRequest };
}

/** The subject on the wire. Throws when a parameter of the pattern is not given, or is too long for a subject. */
export function subjectText(cluster: string, pattern: string, parameters: SubjectParameters): string {
  const filled = pattern.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = parameters[name];
    if (value === undefined) throw new Error(`subject ${pattern} needs the parameter ${name}`);
    return value === ANY ? value : encodeToken(value);
  });
  const text = `podwire.${cluster}.${filled}`;
  if (text.length > MAX_SUBJECT_LENGTH) throw new Error(`the subject ${pattern} would have ${text.length} characters`);
  return text;
}

// --- the apiserver -------------------------------------------------------------------------------------------------

export const API_VERBS = ['get', 'list', 'create', 'update', 'patch', 'delete', 'deletecollection'] as const;
export type ApiVerb = (typeof API_VERBS)[number];

/** A request to the API as the HTTPS server would make of an URL and a body. */
export interface ApiRequest {
  readonly verb: ApiVerb;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
  readonly query: Readonly<Record<string, string>>;
  /** Of a patch: `application/merge-patch+json`, ... */
  readonly contentType?: string;
  readonly body?: unknown;
  /** `system:kube-scheduler`, `system:node:worker-1`, ... */
  readonly user: string;
}

export interface ApiResponse {
  /** HTTP status code. */
  readonly code: number;
  /** The object or list; a Status when the code says failure. */
  readonly body: unknown;
}

/** Served by the apiservers as a queue group. */
export const API_REQUEST = requestSubject<ApiRequest, ApiResponse>('api', decodeApiRequest, decodeApiResponse);

function decodeApiRequest(value: unknown): ApiRequest {
  const message = object(value, 'an API request');
  const verb = API_VERBS.find((candidate) => candidate === message.verb);
  if (verb === undefined) throw new UnexpectedMessageError(`an API request has the verb ${String(message.verb)}`);
  return {
    verb,
    group: string(message, 'group'),
    version: string(message, 'version'),
    resource: string(message, 'resource'),
    namespace: optionalString(message, 'namespace'),
    name: optionalString(message, 'name'),
    subresource: optionalString(message, 'subresource'),
    query: stringMap(message.query),
    contentType: optionalString(message, 'contentType'),
    body: message.body,
    user: string(message, 'user'),
  };
}

function decodeApiResponse(value: unknown): ApiResponse {
  const message = object(value, 'an API response');
  return { code: number(message, 'code'), body: message.body };
}

// --- node-agents ---------------------------------------------------------------------------------------------------

/** Programs a node's tables. The node checks the rules themselves and answers `invalid` with what is wrong. */
export const NODE_RULES = requestSubject<RulesMessage, RulesReply>(
  'node.{node}.rules',
  decodeRulesMessage,
  decodeRulesReply,
);

function decodeRulesMessage(value: unknown): RulesMessage {
  const message = object(value, 'a rules transaction');
  if (message.base !== null) number(message, 'base');
  string(message, 'owner');
  string(message, 'bootId');
  object(message.tables, 'the tables of a rules transaction');
  // The envelope was checked above; chains and rules are checked where they are applied.
  return message;
}

function decodeRulesReply(value: unknown): RulesReply {
  const message = object(value, 'a rules reply');
  string(message, 'bootId');
  if (message.kind === 'applied') number(message, 'generation');
  else if (message.kind === 'resync') string(message, 'reason');
  else if (message.kind !== 'invalid' || !Array.isArray(message.problems)) {
    throw new UnexpectedMessageError(`a rules reply has the kind ${String(message.kind)}`);
  }
  // Every member of the union was checked above.
  return value as RulesReply;
}

/** The child processes of a node-agent: components that run in pods, `node` images. */
export interface NodeProcess {
  /** `kube-proxy`, `coredns`: what it is. */
  readonly name: string;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Absent while it is not running. */
  readonly pid?: number;
  readonly state: 'running' | 'waiting' | 'exited';
  /** Milliseconds since 1970; absent before the first start. */
  readonly startedAtMs?: number;
  readonly restarts: number;
}

export const NODE_PROCESSES = requestSubject<Record<string, never>, { readonly processes: readonly NodeProcess[] }>(
  'node.{node}.processes',
  () => ({}),
  (value) => ({ processes: array(object(value, 'a process list').processes).map(decodeNodeProcess) }),
);

function decodeNodeProcess(value: unknown): NodeProcess {
  const message = object(value, 'a process');
  const state = (['running', 'waiting', 'exited'] as const).find((candidate) => candidate === message.state);
  if (state === undefined) throw new UnexpectedMessageError(`a process has the state ${String(message.state)}`);
  return {
    name: string(message, 'name'),
    namespace: string(message, 'namespace'),
    pod: string(message, 'pod'),
    container: string(message, 'container'),
    pid: optionalNumber(message, 'pid'),
    state,
    startedAtMs: optionalNumber(message, 'startedAtMs'),
    restarts: number(message, 'restarts'),
  };
}

/** A port of a Service as programs of this machine reach it. */
export interface NodeEntrance {
  /** `default/web` */
  readonly service: string;
  readonly protocol: 'tcp' | 'udp';
  /** In the emulated network. */
  readonly address: string;
  readonly port: number;
  readonly realAddress: string;
  readonly realPort: number;
  /** Why the real port is another one. */
  readonly instead?: string;
}

export const NODE_ENTRANCES = requestSubject<Record<string, never>, { readonly entrances: readonly NodeEntrance[] }>(
  'node.{node}.entrances',
  () => ({}),
  (value) => ({ entrances: array(object(value, 'a list of entrances').entrances).map(decodeEntrance) }),
);

function decodeEntrance(value: unknown): NodeEntrance {
  const message = object(value, 'an entrance');
  return {
    service: string(message, 'service'),
    protocol: message.protocol === 'udp' ? 'udp' : 'tcp',
    address: string(message, 'address'),
    port: number(message, 'port'),
    realAddress: string(message, 'realAddress'),
    realPort: number(message, 'realPort'),
    instead: optionalString(message, 'instead'),
  };
}

/** Follows packets through a node; filter and hops belong to the datapath and are decoded by both ends. */
export const NODE_TRACE = requestSubject<JsonObject, JsonObject>(
  'node.{node}.trace',
  (value) => object(value, 'a trace request'),
  (value) => object(value, 'a trace reply'),
);

/** Sets, clears and shows the faults of a node's links. Fails with BadRequest for what the node does not have. */
export const NODE_LINK_FAULTS = requestSubject<LinkFaultRequest, LinkFaultReply>(
  'node.{node}.link-faults',
  decodeLinkFaultRequest,
  decodeLinkFaultReply,
);

/** Standard streams of a container process. */
export interface ProcessStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface ContainerTarget {
  readonly namespace: string;
  readonly pod: string;
  /** Absent: the pod's only or first container. */
  readonly container?: string;
}

export interface ExecStreamRequest extends ContainerTarget, ProcessStreams {
  readonly kind: 'exec';
  readonly command: readonly string[];
}

export interface AttachStreamRequest extends ContainerTarget, ProcessStreams {
  readonly kind: 'attach';
}

export interface LogsStreamRequest extends ContainerTarget {
  readonly kind: 'logs';
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  /** RFC 3339. */
  readonly sinceTime?: string;
  readonly limitBytes?: number;
}

/** One stream is one forwarded connection. */
export interface PortForwardStreamRequest {
  readonly kind: 'port-forward';
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

/** A command of the node itself: `ip route`, `iptables-save`. */
export interface NodeExecStreamRequest extends ProcessStreams {
  readonly kind: 'node-exec';
  readonly command: readonly string[];
}

/**
 * Frames of a node and its pods as pcapng on `stdout`, until the client ends `stdin`; then what still waits, the statistics
 * of each interface, and a Status on `error`.
 */
export interface CaptureStreamRequest {
  readonly kind: 'capture';
  /** The devices of the node itself. */
  readonly node: boolean;
  /** `namespace/name` of pods on this node. */
  readonly pods: readonly string[];
  /** Only the device of this name. */
  readonly device?: string;
  /** In tcpdump's language. */
  readonly filter: string;
  readonly snapBytes?: number;
  /** Packets dropped in what is captured from are shown too. */
  readonly drops: boolean;
  /** So are packets of these addresses that the node dropped anywhere. */
  readonly dropsOf: readonly string[];
}

export type NodeStreamRequest =
  | CaptureStreamRequest
  | ExecStreamRequest
  | AttachStreamRequest
  | LogsStreamRequest
  | PortForwardStreamRequest
  | NodeExecStreamRequest;

export const NODE_STREAM = streamSubject<NodeStreamRequest>('node.{node}.stream', decodeNodeStreamRequest);

/**
 * Channels of a node stream, numbered as in Kubernetes' remote command protocol (v5.channel.k8s.io). `logs` uses `stdout`;
 * `port-forward` uses `data` both ways and `error` for a text. The end of an `exec`, `attach` or `node-exec` is a Status
 * as JSON text on `error`: Success, or Failure with reason NonZeroExitCode and a cause ExitCode.
 */
export const STREAM_CHANNEL = { stdin: 0, data: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

function decodeNodeStreamRequest(value: unknown): NodeStreamRequest {
  const message = object(value, 'a stream request');
  switch (message.kind) {
    case 'exec':
      return { kind: 'exec', ...target(message), ...streams(message), command: stringArray(message, 'command') };
    case 'attach':
      return { kind: 'attach', ...target(message), ...streams(message) };
    case 'logs':
      return {
        kind: 'logs',
        ...target(message),
        follow: message.follow === true,
        previous: message.previous === true,
        timestamps: message.timestamps === true,
        tailLines: optionalNumber(message, 'tailLines'),
        sinceSeconds: optionalNumber(message, 'sinceSeconds'),
        sinceTime: optionalString(message, 'sinceTime'),
        limitBytes: optionalNumber(message, 'limitBytes'),
      };
    case 'port-forward':
      return {
        kind: 'port-forward',
        namespace: string(message, 'namespace'),
        pod: string(message, 'pod'),
        port: number(message, 'port'),
      };
    case 'capture':
      return {
        kind: 'capture',
        node: message.node === true,
        pods: stringArray(message, 'pods'),
        device: optionalString(message, 'device'),
        filter: string(message, 'filter'),
        snapBytes: optionalNumber(message, 'snapBytes'),
        drops: message.drops === true,
        dropsOf: stringArray(message, 'dropsOf'),
      };
    case 'node-exec':
      return { kind: 'node-exec', ...streams(message), command: stringArray(message, 'command') };
    default:
      throw new UnexpectedMessageError(`a stream request has the kind ${String(message.kind)}`);
  }
}

function target(message: JsonObject): ContainerTarget {
  return {
    namespace: string(message, 'namespace'),
    pod: string(message, 'pod'),
    container: optionalString(message, 'container'),
  };
}

function streams(message: JsonObject): ProcessStreams {
  return {
    stdin: message.stdin === true,
    stdout: message.stdout === true,
    stderr: message.stderr === true,
    tty: message.tty === true,
  };
}
