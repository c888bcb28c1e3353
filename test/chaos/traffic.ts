/**
 * A pod that asks a Service over and over and writes down how each request went. The test reads the container's log where the
 * node keeps it, so that it sees the packets also while there is no apiserver to ask.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { waitFor } from '../wait-for.ts';
import type { ChaosCluster } from './chaos-cluster.ts';

const FLOW_LIMIT_MS = 90_000;

/**
 * `urls`: what each container, named by its key, asks for. A request may take as long as a machine with much else to do lets it:
 * one whose packets are lost for good fails all the same.
 */
export function askingPod(name: string, node: string, urls: Readonly<Record<string, string>>): Pod {
  const script = (url: string): string =>
    `while true; do if wget -q -T 20 -O - ${url} >/dev/null 2>&1; then echo ok; else echo failed; fi; sleep 0.05; done`;
  return {
    metadata: { name, namespace: 'default' },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 0,
      containers: Object.entries(urls).map(([container, url]) => ({
        name: container,
        image: 'busybox:1.36',
        command: ['sh', '-c', script(url)],
      })),
    },
  };
}

/** The requests of one container of an asking pod. */
export class Traffic {
  private readonly folder: string;
  private readonly pod: string;
  private readonly container: string;

  constructor(cluster: ChaosCluster, node: string, pod: string, container: string) {
    this.folder = join(cluster.stateFolder, 'nodes', node, 'pods');
    this.pod = pod;
    this.container = container;
  }

  /** Waits for so many more requests; resolves to how they went. */
  async next(count: number): Promise<string[]> {
    const before = this.outcomes().length;
    const enough = (): string[] | undefined => {
      const since = this.outcomes().slice(before);
      return since.length >= count ? since : undefined;
    };
    return waitFor(`${count} more requests of ${this.pod}/${this.container}`, enough, FLOW_LIMIT_MS);
  }

  /** Waits until so many requests in a row succeeded from now on. */
  async flows(count: number): Promise<void> {
    const before = this.outcomes().length;
    const inARow = (): boolean => {
      const since = this.outcomes().slice(before);
      return since.length >= count && since.slice(-count).every((outcome) => outcome === 'ok');
    };
    await waitFor(`${count} good requests in a row of ${this.pod}/${this.container}`, inARow, FLOW_LIMIT_MS);
  }

  private outcomes(): string[] {
    if (!existsSync(this.folder)) return [];
    const [podFolder] = readdirSync(this.folder).filter((name) => name.startsWith(`default_${this.pod}_`));
    const logFile = join(this.folder, podFolder ?? '', this.container, '0.log');
    if (podFolder === undefined || !existsSync(logFile)) return [];
    return readFileSync(logFile, 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[3] ?? '')
      .filter((word) => word !== '');
  }
}
