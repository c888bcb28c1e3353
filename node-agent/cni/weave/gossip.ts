/**
 * What weave's peers tell each other over TCP port 6783: a length in four bytes, and JSON. The original's messages are Go's own
 * (gob), and say the same: who is there, who is connected to whom, and who owns which addresses.
 */
import type { AcceptorState, PaxosState, ProposalId } from './paxos.ts';
import type { Token } from './ring.ts';

export const MESH_PORT = 6783;

export const MESH_LENGTH_BYTES = 4;
const MAX_FRAME_BYTES = 1 << 20;

/** One peer's connection to another that works. */
export interface PeerConnection {
  /** The other's. */
  readonly name: string;
  /** `192.168.1.11:6783` */
  readonly address: string;
  /** The peer itself connected. */
  readonly outbound: boolean;
}

/** A peer as the mesh knows it; the later version counts. */
export interface PeerDescription {
  readonly name: string;
  readonly nickname: string;
  readonly version: number;
  readonly connections: readonly PeerConnection[];
}

export type MeshMessage =
  /** The first of each side; `key`: the public key of a peer that has a password. */
  | { readonly kind: 'intro'; readonly key?: string }
  | { readonly kind: 'hello'; readonly name: string; readonly nickname: string; readonly overlays: readonly string[] }
  /** A word came over that way, through a packet of so many bytes. */
  | { readonly kind: 'heard'; readonly way: 'fastdp' | 'sleeve'; readonly mtuBytes: number }
  | {
      readonly kind: 'gossip';
      readonly peers: readonly PeerDescription[];
      readonly paxos: PaxosState;
      readonly ring: readonly Token[];
    }
  /** The sender has no address left. */
  | { readonly kind: 'want-space' }
  | { readonly kind: 'heartbeat' };

/** With room for so many bytes behind, which its length counts. */
export function encodeMeshMessage(message: MeshMessage, roomBytes = 0): Uint8Array {
  const body = new TextEncoder().encode(JSON.stringify(message));
  const frame = new Uint8Array(MESH_LENGTH_BYTES + body.length + roomBytes);
  new DataView(frame.buffer).setUint32(0, body.length + roomBytes);
  frame.set(body, MESH_LENGTH_BYTES);
  return frame;
}

/** Undefined while the length is not whole; 0 for one that no message has. */
export function meshFrameLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < MESH_LENGTH_BYTES) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  return length > MAX_FRAME_BYTES ? 0 : MESH_LENGTH_BYTES + length;
}

/** Undefined for what is no message. */
export function decodeMeshMessage(frame: Uint8Array): MeshMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(frame.subarray(MESH_LENGTH_BYTES)));
  } catch {
    // Anybody may connect to the port and say what he likes.
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  const { kind, peers, paxos, ring } = value;
  if (kind === 'want-space' || kind === 'heartbeat') return { kind };
  if (kind === 'intro') return decodeIntroduction(value);
  if (kind === 'hello') return decodeHello(value);
  if (kind === 'heard') return decodeHeard(value);
  if (kind !== 'gossip' || !isListOf(peers, isPeer) || !isPaxos(paxos) || !isListOf(ring, isToken)) return undefined;
  return { kind, peers, paxos, ring };
}

function decodeIntroduction({ key }: Record<string, unknown>): MeshMessage | undefined {
  if (key === undefined) return { kind: 'intro' };
  return isText(key) ? { kind: 'intro', key } : undefined;
}

function decodeHello({ name, nickname, overlays }: Record<string, unknown>): MeshMessage | undefined {
  if (!isText(name) || !isText(nickname) || !isListOf(overlays, isText)) return undefined;
  return { kind: 'hello', name, nickname, overlays };
}

function decodeHeard({ way, mtuBytes }: Record<string, unknown>): MeshMessage | undefined {
  if ((way !== 'fastdp' && way !== 'sleeve') || typeof mtuBytes !== 'number') return undefined;
  return { kind: 'heard', way, mtuBytes };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isListOf<Item>(value: unknown, is: (item: unknown) => item is Item): value is Item[] {
  return Array.isArray(value) && value.every(is);
}

const isText = (value: unknown): value is string => typeof value === 'string';

function isPeer(value: unknown): value is PeerDescription {
  if (!isRecord(value)) return false;
  const { name, nickname, version, connections } = value;
  return isText(name) && isText(nickname) && Number.isSafeInteger(version) && isListOf(connections, isConnection);
}

function isConnection(value: unknown): value is PeerConnection {
  return isRecord(value) && isText(value.name) && isText(value.address) && typeof value.outbound === 'boolean';
}

export function isToken(value: unknown): value is Token {
  if (!isRecord(value)) return false;
  return Number.isSafeInteger(value.start) && isText(value.owner) && Number.isSafeInteger(value.version);
}

function isPaxos(value: unknown): value is PaxosState {
  return isRecord(value) && Object.values(value).every(isAcceptor);
}

function isAcceptor(value: unknown): value is AcceptorState {
  if (!isRecord(value) || !isProposal(value.promise)) return false;
  const { accepted } = value;
  return accepted === null || (isRecord(accepted) && isProposal(accepted.id) && isListOf(accepted.value, isText));
}

function isProposal(value: unknown): value is ProposalId {
  return isRecord(value) && Number.isSafeInteger(value.round) && isText(value.proposer);
}
