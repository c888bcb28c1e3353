import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../shared/api/object.ts';
import { PODS, REPLICASETS } from '../../../shared/api/resources.ts';
import { at, meta, summary } from '../objects.testkit.ts';
import { type OwnerStanding, reconcileGarbage } from './garbage-collector.ts';
import { reconcileNamespace } from './namespace/namespace.ts';
import { reconcileDefaultAccount, reconcileRootCa } from './namespace/service-account.ts';

const owner = (standing: OwnerStanding['standing'], uid = 'uid-web'): OwnerStanding => ({
  standing,
  reference: {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    name: 'web',
    uid,
    controller: true,
    blockOwnerDeletion: true,
  },
});
const object = (more: Parameters<typeof meta>[1] = {}): KubeObject => ({ metadata: meta('a', more) });
const dependent = (name: string, more: Parameters<typeof meta>[1] = {}) => ({
  resource: PODS,
  object: { metadata: meta(name, { ownerReferences: [{ ...owner('present').reference, uid: 'uid-a' }], ...more }) },
});
const run = (of: KubeObject, owners: OwnerStanding[] = [], dependents: ReturnType<typeof dependent>[] = []) =>
  reconcileGarbage({ resource: REPLICASETS, object: of, owners, dependents }).actions;

describe('garbage collection', () => {
  it.each([
    ['keeps what has an owner', [owner('present')], []],
    ['deletes what has lost its owner', [owner('gone')], ['delete replicasets a']],
    [
      'keeps what has another owner, without the lost one',
      [owner('gone'), owner('present', 'other')],
      ['patch replicasets a'],
    ],
    ['leaves dependents of unknown kinds alone', [owner('unknown')], []],
    ['deletes with an owner that waits for it', [owner('foreground')], ['delete replicasets a']],
    ['leaves what never had an owner', [], []],
  ])('%s', (_, owners, expected) => {
    expect(summary(run(object(), owners))).toEqual(expected);
  });

  it('foreground: dependents first, then the finalizer', () => {
    const going = object({ deletionTimestamp: at(0), finalizers: ['foregroundDeletion'] });
    expect(summary(run(going, [], [dependent('p'), dependent('q', { deletionTimestamp: at(0) })]))).toEqual([
      'delete pods p',
    ]);
    expect(run(going)).toMatchObject([{ kind: 'patch', body: { metadata: { finalizers: null } } }]);
  });

  it('orphan: the references go, the dependents stay', () => {
    const going = object({ deletionTimestamp: at(0), finalizers: ['orphan', 'other'] });
    expect(run(going, [], [dependent('p')])).toMatchObject([
      { kind: 'patch', name: 'p', body: { metadata: { ownerReferences: null } } },
      { kind: 'patch', name: 'a', body: { metadata: { finalizers: ['other'] } } },
    ]);
  });
});

describe('namespaces', () => {
  const live = { metadata: meta('lab', { namespace: undefined }), spec: { finalizers: ['kubernetes'] } };
  const going = { ...live, metadata: { ...live.metadata, deletionTimestamp: at(0) } };
  it('deletes the content, then gives the namespace up', () => {
    expect(reconcileNamespace({ namespace: live, contents: [] }).actions).toEqual([]);
    const contents = [{ resource: PODS, objects: [object(), object({ deletionTimestamp: at(0) })] }];
    const busy = reconcileNamespace({ namespace: going, contents });
    expect(summary(busy.actions)).toEqual(['delete pods a']);
    expect(busy.requeueAfterMs).toBeGreaterThan(0);
    expect(reconcileNamespace({ namespace: going, contents: [] }).actions).toMatchObject([
      { kind: 'update-subresource', subresource: 'finalize', object: { spec: { finalizers: [] } } },
    ]);
  });
  it('have a default account and the root certificate', () => {
    expect(summary(reconcileDefaultAccount({ namespace: live, account: undefined }).actions)).toEqual([
      'create serviceaccounts default',
    ]);
    expect(summary(reconcileRootCa({ namespace: live, configMap: undefined, certificate: 'PEM' }).actions)).toEqual([
      'create configmaps kube-root-ca.crt',
    ]);
    expect(reconcileRootCa({ namespace: live, configMap: undefined, certificate: undefined }).actions).toEqual([]);
    expect(reconcileRootCa({ namespace: going, configMap: undefined, certificate: 'PEM' }).actions).toEqual([]);
  });
});
