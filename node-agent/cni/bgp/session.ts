/**
 * One BGP session as a machine of states (RFC 4271 section 8): events in, actions out; no clock, no socket.
 *
 *   Idle -start-> Connect -TCP is up: send OPEN-> OpenSent -OPEN: send KEEPALIVE-> OpenConfirm -KEEPALIVE-> Established
 *     ^------------- connection lost, hold timer, NOTIFICATION, an error: retry after a while ---------------/
 *
 * Which of two connections that crossed lives is the speaker's matter (section 6.8): here, the peer with the higher
 * identifier is the one that connects, so that none cross.
 */
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';
import {
  type BgpError,
  type BgpMessage,
  CEASE,
  FSM_ERROR,
  HOLD_TIMER_EXPIRED,
  OPEN_ERROR,
  type OpenMessage,
  type UpdateMessage,
} from './message.ts';

export type BgpState = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established';

export interface SessionOptions {
  readonly localAs: number;
  readonly peerAs: number;
  readonly identifier: number;
  /** Proposed; the smaller of both counts. */
  readonly holdTimeSeconds: number;
  /** Connects, where the other side only listens. */
  readonly connects: boolean;
}

export type SessionEvent =
  | {
      readonly kind: 'start' | 'stop' | 'connected' | 'disconnected' | 'hold-timer' | 'keepalive-timer' | 'retry-timer';
    }
  | { readonly kind: 'message'; readonly message: BgpMessage }
  | { readonly kind: 'broken'; readonly error: BgpError };

export type SessionAction =
  | { readonly kind: 'connect' | 'disconnect' | 'established' | 'down' }
  | { readonly kind: 'send'; readonly message: BgpMessage }
  /** In milliseconds; 0 stops it. */
  | { readonly kind: 'timer'; readonly timer: 'hold' | 'keepalive' | 'retry'; readonly afterMs: number }
  | { readonly kind: 'routes'; readonly update: UpdateMessage };

export const RETRY_MS = 1000;
/** A connection that is not there after this long is begun anew (the ConnectRetryTimer). */
const CONNECT_WAIT_MS = 3000;
/** The hold timer until the peer's OPEN has come (section 8.2.2 suggests four minutes; a node's reboot takes less). */
const OPEN_WAIT_MS = 10_000;
const MIN_HOLD_SECONDS = 3;

export class BgpSession {
  state: BgpState = 'Idle';
  /** Agreed; 0 without a hold timer, and until both have said. */
  holdTimeSeconds = 0;
  peerIdentifier = 0;
  /** Why it is not established, as `birdc show protocols` tells it. */
  lastError = '';
  private readonly options: SessionOptions;

  constructor(options: SessionOptions) {
    this.options = options;
  }

  handle(event: SessionEvent): SessionAction[] {
    switch (event.kind) {
      case 'start':
        return this.state === 'Idle' ? this.begin() : [];
      case 'stop':
        return this.end(true, CEASE.code, CEASE.shutdown, 'Administrative shutdown');
      case 'connected':
        return this.open();
      case 'disconnected':
        return this.state === 'Idle' ? [] : this.fail('Connection closed');
      case 'retry-timer':
        if (this.state === 'Connect') return [{ kind: 'disconnect' }, ...this.begin()];
        return this.state === 'Idle' ? this.begin() : [];
      case 'hold-timer':
        return this.end(false, HOLD_TIMER_EXPIRED.code, 0, 'Hold timer expired');
      case 'keepalive-timer':
        return this.isUp() ? [KEEPALIVE, this.keepaliveTimer()] : [];
      case 'broken':
        return this.end(false, event.error.code, event.error.subcode, event.error.message);
      case 'message':
        return this.take(event.message);
    }
  }

  private begin(): SessionAction[] {
    this.state = this.options.connects ? 'Connect' : 'Active';
    if (!this.options.connects) return [];
    return [{ kind: 'timer', timer: 'retry', afterMs: CONNECT_WAIT_MS }, { kind: 'connect' }];
  }

  private open(): SessionAction[] {
    if (this.state !== 'Connect' && this.state !== 'Active' && this.state !== 'Idle') return [];
    this.state = 'OpenSent';
    const { localAs: as, identifier, holdTimeSeconds } = this.options;
    return [
      { kind: 'timer', timer: 'retry', afterMs: 0 },
      { kind: 'timer', timer: 'hold', afterMs: OPEN_WAIT_MS },
      { kind: 'send', message: { kind: 'open', as, identifier, holdTimeSeconds } },
    ];
  }

  private take(message: BgpMessage): SessionAction[] {
    if (message.kind === 'notification') return this.fail(`Received: ${message.code}/${message.subcode}`);
    if (message.kind === 'open' && this.state === 'OpenSent') return this.agree(message);
    if (message.kind === 'keepalive' && this.state === 'OpenConfirm') {
      this.state = 'Established';
      this.lastError = '';
      return [this.holdTimer(), { kind: 'established' }];
    }
    if (message.kind === 'keepalive' && this.state === 'Established') return [this.holdTimer()];
    if (message.kind === 'update' && this.state === 'Established') {
      return [this.holdTimer(), { kind: 'routes', update: message }];
    }
    return this.end(false, FSM_ERROR.code, 0, `Unexpected ${message.kind} in ${this.state}`);
  }

  private agree({ as, identifier, holdTimeSeconds }: OpenMessage): SessionAction[] {
    const { peerAs, holdTimeSeconds: ours } = this.options;
    if (as !== peerAs) return this.end(false, OPEN_ERROR.code, OPEN_ERROR.badPeerAs, `Bad peer AS: ${as}`);
    if (identifier === 0 || identifier === this.options.identifier) {
      return this.end(false, OPEN_ERROR.code, OPEN_ERROR.badIdentifier, 'Bad BGP identifier');
    }
    if (holdTimeSeconds > 0 && holdTimeSeconds < MIN_HOLD_SECONDS) {
      return this.end(false, OPEN_ERROR.code, OPEN_ERROR.badHoldTime, `Unacceptable hold time: ${holdTimeSeconds}`);
    }
    this.state = 'OpenConfirm';
    this.peerIdentifier = identifier;
    this.holdTimeSeconds = Math.min(ours, holdTimeSeconds);
    return [KEEPALIVE, this.holdTimer(), this.keepaliveTimer()];
  }

  private isUp(): boolean {
    return this.state === 'OpenConfirm' || this.state === 'Established';
  }

  private holdTimer(): SessionAction {
    return { kind: 'timer', timer: 'hold', afterMs: this.holdTimeSeconds * 1000 };
  }

  /** A third of the hold time (section 4.4). */
  private keepaliveTimer(): SessionAction {
    return { kind: 'timer', timer: 'keepalive', afterMs: (this.holdTimeSeconds * 1000) / 3 };
  }

  /** With a NOTIFICATION, where there is a connection to send it on. */
  private end(forGood: boolean, code: number, subcode: number, reason: string): SessionAction[] {
    const isConnected = this.state === 'OpenSent' || this.isUp();
    const farewell: SessionAction[] = isConnected
      ? [{ kind: 'send', message: { kind: 'notification', code, subcode } }]
      : [];
    return [...farewell, ...this.fail(reason, forGood)];
  }

  private fail(reason: string, forGood = false): SessionAction[] {
    const wasEstablished = this.state === 'Established';
    this.state = 'Idle';
    this.lastError = reason;
    this.holdTimeSeconds = 0;
    return [
      ...(wasEstablished ? [{ kind: 'down' } as const] : []),
      { kind: 'disconnect' },
      { kind: 'timer', timer: 'hold', afterMs: 0 },
      { kind: 'timer', timer: 'keepalive', afterMs: 0 },
      { kind: 'timer', timer: 'retry', afterMs: forGood ? 0 : RETRY_MS },
    ];
  }
}

const KEEPALIVE: SessionAction = { kind: 'send', message: { kind: 'keepalive' } };

/** `10.244.1.0/26` as a key. */
export function prefixKey({ address, prefixLength }: IpPrefix): string {
  return `${address}/${prefixLength}`;
}
