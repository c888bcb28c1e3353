/**
 * By which way the packets of one connection go: the fast datapath where it works, the sleeve where that alone does. Each is tried with
 * words that the other peer confirms over TCP; one that is not confirmed for the hold time does not work.
 */
import type { OverlayName } from '../../datapath/weave/weave-peer.ts';

export interface OverlaySwitchOptions {
  /** The best first. */
  readonly overlays: readonly OverlayName[];
  readonly nowUs: () => number;
  readonly holdUs: number;
  readonly probe: (overlay: OverlayName) => void;
  readonly chosen: (best: OverlayName | null) => void;
  readonly log: (overlay: OverlayName, line: string) => void;
}

/** So long a new connection tries often for its best way: the first word may come before the other peer knows who sends it. */
const SETTLE_US = 5_000_000;

interface Way {
  /** When the other peer last confirmed it. */
  confirmedUs: number;
  works: boolean;
}

export class OverlaySwitch {
  best: OverlayName | null = null;
  private readonly options: OverlaySwitchOptions;
  private readonly ways: ReadonlyMap<OverlayName, Way>;
  private readonly startedUs: number;

  constructor(options: OverlaySwitchOptions) {
    this.options = options;
    this.startedUs = options.nowUs();
    this.ways = new Map(options.overlays.map((overlay) => [overlay, { confirmedUs: this.startedUs, works: false }]));
  }

  /** None works, nor did in the last hold time. */
  get isHopeless(): boolean {
    const { nowUs, holdUs } = this.options;
    return [...this.ways.values()].every(({ works, confirmedUs }) => !works && nowUs() - confirmedUs > holdUs);
  }

  /** Gives up what is silent and tries all again; true while it waits for a better way. */
  beat(): boolean {
    const { nowUs, holdUs, probe, log } = this.options;
    for (const [overlay, way] of this.ways) {
      if (way.works && nowUs() - way.confirmedUs > holdUs) {
        way.works = false;
        log(overlay, `missed Heartbeat from peer, marking ${overlay} forwarder as un-healthy`);
      }
    }
    this.choose();
    // The ones that are not in use too, so that they can take over at once.
    for (const overlay of this.ways.keys()) probe(overlay);
    const [preferred] = this.ways.keys();
    const isNew = nowUs() - this.startedUs < SETTLE_US;
    return this.best === null || (isNew && this.best !== preferred);
  }

  /** The other peer heard a word over it. */
  confirmed(overlay: OverlayName): void {
    const way = this.ways.get(overlay);
    if (way === undefined) return;
    way.confirmedUs = this.options.nowUs();
    if (way.works) return;
    way.works = true;
    if (way.confirmedUs - this.startedUs > this.options.holdUs) {
      this.options.log(overlay, `got Heartbeat from peer, marking ${overlay} forwarder as healthy`);
    }
    this.choose();
  }

  private choose(): void {
    const best = [...this.ways].find(([, { works }]) => works)?.[0] ?? null;
    if (best === this.best) return;
    this.best = best;
    this.options.chosen(best);
  }
}
