/**
 * Real kubectl against a real cluster: one row, one invocation, with its exit code and the shape of what it prints. The rows
 * are in order, and each may build on those before it.
 */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TestCluster } from '../cluster.ts';
import { type Environment, invoke } from './invoke.ts';
import { oldestAndNewest } from './kubectl-versions.ts';
import { CLUSTER } from './tables/cluster.ts';
import { CUSTOM } from './tables/custom.ts';
import { ENDING } from './tables/ending.ts';
import { KINDS } from './tables/kinds.ts';
import { PODS } from './tables/pods.ts';
import { READING } from './tables/reading.ts';
import { VERSIONS } from './tables/versions.ts';
import { WORKLOADS } from './tables/workloads.ts';
import { WRITING } from './tables/writing.ts';

const CHAPTERS = [CLUSTER, READING, WRITING, WORKLOADS, KINDS, PODS, CUSTOM, ENDING];

const cluster = await TestCluster.start({ nodes: 2 });
const versions = cluster === undefined ? [] : await oldestAndNewest(cluster.kubectlPath, join(cluster.home, 'kubectl'));
console.log(`oldest and newest kubectl: ${versions.map(({ minor }) => minor).join(', ')}`);

function environmentOf({ home, variables, kubectlPath }: TestCluster): Environment {
  const folders = { KUSTOMIZE: join(home, 'kustomize'), TLS: join(home, 'tls') };
  for (const folder of Object.values(folders)) mkdirSync(folder, { recursive: true });
  writeFileSync(join(folders.KUSTOMIZE, 'kustomization.yaml'), 'resources: [made.yaml]\nnamePrefix: dev-\n');
  writeFileSync(
    join(folders.KUSTOMIZE, 'made.yaml'),
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made\ndata: {a: b}\n',
  );
  copyFileSync(cluster!.servingCertificate.certificate, join(folders.TLS, 'tls.crt'));
  copyFileSync(cluster!.servingCertificate.key, join(folders.TLS, 'tls.key'));
  return { kubectl: kubectlPath, variables, folders };
}

describe.skipIf(cluster === undefined)('kubectl', () => {
  const environment = environmentOf(cluster!);
  afterAll(() => cluster!.down());

  it('is asked at least 150 times', () => {
    expect(CHAPTERS.flatMap(({ rows }) => rows).length).toBeGreaterThanOrEqual(150);
  });

  describe.each(CHAPTERS)('$title', ({ rows }) => {
    it.each(rows)('$command', (row) => invoke(row, environment));
  });

  describe.each(versions)('version $minor', ({ path, minor }) => {
    const rows = VERSIONS.filter(({ until, from }) => within(minor, from, until));
    it.each(rows)('$command', (row) => invoke(row, { ...environment, kubectl: path }));
  });
});

function within(minor: string, from = 0, until = Number.POSITIVE_INFINITY): boolean {
  const number = Number(minor.split('.')[1]);
  return number >= from && number <= until;
}
