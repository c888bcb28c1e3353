/** The demo's client: curl in the frontend pod, one request after the other. */
import type { Bus } from '../../shared/bus/connection.ts';
import { type PodPlace, startInPod } from '../pod-exec.ts';
import { parseRequest, type RequestRecord } from './request-log.ts';

/**
 * What a careful client of a Service does: a short time-out for the connection, and another try, which the Service may
 * send to another backend. The time of a request includes its tries.
 */
const REQUEST =
  "curl -s --connect-timeout 1 --retry 10 --retry-delay 0 --retry-connrefused -w ' %{http_code} %{time_total}\\n' http://backend/hostname";

/** Different lines kept; more would not help. */
const MAX_COMPLAINTS = 5;

export class DemoClient {
  readonly requests: RequestRecord[] = [];
  /** Lines that were no answer: what the user must see if it goes wrong. */
  readonly complaints = new Set<string>();
  private readonly bus: Bus;
  private readonly place: PodPlace;
  private readonly nowMs: () => number;

  constructor(bus: Bus, place: PodPlace, nowMs: () => number) {
    this.bus = bus;
    this.place = place;
    this.nowMs = nowMs;
  }

  /** Makes so many requests, one right after the other. */
  async request(count: number): Promise<RequestRecord[]> {
    const before = this.requests.length;
    const running = await this.run(`for i in $(seq ${count}); do ${REQUEST}; done`);
    await running.ended;
    return this.requests.slice(before);
  }

  /** Goes on until it is stopped; resolves to a function that stops it. */
  async requestUntilStopped(pauseSeconds: number): Promise<() => Promise<void>> {
    const running = await this.run(`while true; do ${REQUEST}; sleep ${pauseSeconds}; done`);
    return async () => {
      running.stop();
      await running.ended;
    };
  }

  private run(script: string): ReturnType<typeof startInPod> {
    let rest = '';
    return startInPod(this.bus, this.place, ['sh', '-c', script], {
      stdout: (text) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.take(line);
      },
      stderr: (text) => this.complain(text),
    });
  }

  private take(line: string): void {
    const request = parseRequest(line, this.nowMs());
    if (request === undefined) this.complain(line);
    else this.requests.push(request);
  }

  private complain(text: string): void {
    for (const line of text.trim().split('\n')) {
      if (this.complaints.size < MAX_COMPLAINTS) this.complaints.add(line);
    }
  }
}
