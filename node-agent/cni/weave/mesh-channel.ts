/**
 * A connection between two peers: first what each says of itself in the clear (whether it encrypts, and its public key), from then on
 * messages, sealed where both have a password.
 *
 *   | length (4) | JSON |     or     | length (4) | JSON (sealed) | 16 bytes of tag |
 */
import type { TcpConnection } from '../../../shared/netstack/tcp/connection.ts';
import type { DuplexCipher, PeerCiphers } from '../../datapath/weave/packet-cipher.ts';
import { FramedConnection } from '../framed-connection.ts';
import {
  decodeMeshMessage,
  encodeMeshMessage,
  MESH_LENGTH_BYTES,
  type MeshMessage,
  meshFrameLength,
} from './gossip.ts';
import type { KeyAgreement, MeshPassword } from './session-keys.ts';

/** Why a connection ends, in the original's words. */
export const EXPECTED_CRYPTO = 'password specified, but peer requested an unencrypted connection';
export const EXPECTED_NO_CRYPTO = 'no password specificed, but peer requested an encrypted connection';
export const NOT_DECRYPTED = 'Unable to decrypt TCP msg';
export const BAD_MESSAGE = 'received a message that is none';

const TAG_BYTES = 16;

export interface ChannelEvents {
  /** The peers may talk. */
  ready(): void;
  message(message: MeshMessage): void;
  /** `error` in the original's words; what the other side did when it just went is `EOF`. */
  closed(error: string): void;
}

export class MeshChannel {
  /** Of the packets between the peers; null without a password. */
  ciphers: PeerCiphers | null = null;
  private readonly frames: FramedConnection;
  private readonly events: ChannelEvents;
  private readonly agreement: KeyAgreement | undefined;
  private control: DuplexCipher | null = null;
  private isReady = false;
  private sent = 0;
  private received = 0;

  constructor(connection: TcpConnection, password: MeshPassword | undefined, events: ChannelEvents) {
    this.events = events;
    this.agreement = password?.agreement();
    this.frames = new FramedConnection(connection, {
      lengthOf: meshFrameLength,
      frame: (bytes) => this.take(bytes),
      closed: () => events.closed('EOF'),
    });
  }

  /** The first thing that each side says. */
  introduce(): void {
    const key = this.agreement?.publicKey;
    this.frames.send(encodeMeshMessage(key === undefined ? { kind: 'intro' } : { kind: 'intro', key }));
  }

  send(message: MeshMessage): void {
    const { control } = this;
    const frame = encodeMeshMessage(message, control === null ? 0 : TAG_BYTES);
    if (control !== null) {
      const length = frame.length - MESH_LENGTH_BYTES - TAG_BYTES;
      control.send.seal(++this.sent, frame, 0, MESH_LENGTH_BYTES, MESH_LENGTH_BYTES, length);
    }
    this.frames.send(frame);
  }

  /** Without `closed`: whoever calls knows. */
  end(): void {
    this.frames.end();
  }

  private take(frame: Uint8Array): void {
    if (!this.isReady) {
      this.takeIntroduction(decodeMeshMessage(frame));
      return;
    }
    const opened = this.open(frame);
    const message = opened === undefined ? undefined : decodeMeshMessage(opened);
    if (message === undefined) this.fail(opened === undefined ? NOT_DECRYPTED : BAD_MESSAGE);
    else this.events.message(message);
  }

  private takeIntroduction(message: MeshMessage | undefined): void {
    if (message?.kind !== 'intro') {
      this.fail(BAD_MESSAGE);
      return;
    }
    const { agreement } = this;
    if (agreement !== undefined && message.key === undefined) this.fail(EXPECTED_CRYPTO);
    else if (agreement === undefined && message.key !== undefined) this.fail(EXPECTED_NO_CRYPTO);
    else if (agreement === undefined || message.key === undefined) this.becomeReady();
    else {
      const keys = agreement.keysWith(message.key);
      if (keys === undefined) {
        this.fail(BAD_MESSAGE);
        return;
      }
      this.control = keys.control;
      this.ciphers = keys.packets;
      this.becomeReady();
    }
  }

  private becomeReady(): void {
    this.isReady = true;
    this.events.ready();
  }

  /** Undefined for what is not authentic. */
  private open(frame: Uint8Array): Uint8Array | undefined {
    if (this.control === null) return frame;
    const length = frame.length - MESH_LENGTH_BYTES - TAG_BYTES;
    if (length < 0) return undefined;
    const { receive } = this.control;
    if (!receive.open(++this.received, frame, 0, MESH_LENGTH_BYTES, MESH_LENGTH_BYTES, length)) return undefined;
    return frame.subarray(0, MESH_LENGTH_BYTES + length);
  }

  private fail(error: string): void {
    this.end();
    this.events.closed(error);
  }
}
