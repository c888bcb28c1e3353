import type { LimitRange, LimitRangeItem, Pod, PodSpec } from 'kubernetes-types/core/v1.js';
import { describe, expect, test } from 'vitest';
import { defaultLimitRange } from '../defaults/limit-range.ts';
import { applyLimitRange, claimLimitErrors, podLimitErrors } from './limit-range.ts';

function range(...limits: LimitRangeItem[]): LimitRange {
  const made: LimitRange = { spec: { limits } };
  defaultLimitRange(made);
  return made;
}

function pod(resources: PodSpec['containers'][number]['resources'], spec: Partial<PodSpec> = {}): Pod {
  return { metadata: { name: 'web' }, spec: { containers: [{ name: 'web', resources }], ...spec } };
}

describe('what a LimitRange gives', () => {
  test('default limits and requests, and a note of it', () => {
    const web = pod({ requests: { cpu: '50m' } });
    applyLimitRange(web, range({ type: 'Container', max: { cpu: '2' }, defaultRequest: { memory: '64Mi' } }));
    expect(web.spec?.containers[0]?.resources).toEqual({
      limits: { cpu: '2' },
      requests: { cpu: '50m', memory: '64Mi' },
    });
    expect(web.metadata?.annotations).toEqual({
      'kubernetes.io/limit-ranger':
        'LimitRanger plugin set: memory request for container web; cpu limit for container web',
    });
  });

  test('nothing to pods that say it themselves', () => {
    const web = pod({ limits: { cpu: '1' }, requests: { cpu: '1' } });
    applyLimitRange(web, range({ type: 'Container', default: { cpu: '2' } }));
    expect(web).toEqual(pod({ limits: { cpu: '1' }, requests: { cpu: '1' } }));
  });
});

describe('what a LimitRange refuses', () => {
  const bounds = { type: 'Container', min: { cpu: '100m' }, max: { cpu: '1' } };
  test.each<[item: LimitRangeItem, resources: object, errors: string[]]>([
    [bounds, { requests: { cpu: '100m' }, limits: { cpu: '1' } }, []],
    [bounds, { limits: { cpu: '1' } }, ['minimum cpu usage per Container is 100m.  No request is specified']],
    [
      bounds,
      { requests: { cpu: '50m' }, limits: { cpu: '2' } },
      [
        'minimum cpu usage per Container is 100m, but request is 50m',
        'maximum cpu usage per Container is 1, but limit is 2',
      ],
    ],
    [
      { type: 'Pod', max: { memory: '1Gi' } },
      { limits: { memory: '2Gi' } },
      ['maximum memory usage per Pod is 1Gi, but limit is 2Gi'],
    ],
    [
      { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
      { requests: { cpu: '100m' }, limits: { cpu: '250m' } },
      ['cpu max limit to request ratio per Container is 2, but provided ratio is 2.500000'],
    ],
    [
      { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
      { requests: { cpu: '125m' }, limits: { cpu: '250m' } },
      [],
    ],
  ])('%j of %j', (item, resources, errors) => {
    expect(podLimitErrors(pod(resources), range(item))).toEqual(errors);
  });

  test('a pod as a whole: the larger of its containers and its init containers', () => {
    const sized = (name: string, cpu: string) => ({ name, resources: { limits: { cpu } } });
    const web = pod(undefined, {
      containers: [sized('a', '300m'), sized('b', '300m')],
      initContainers: [sized('i', '1')],
    });
    expect(podLimitErrors(web, range({ type: 'Pod', max: { cpu: '800m' } }))).toEqual([
      'maximum cpu usage per Pod is 800m, but limit is 1',
    ]);
  });

  test('claims', () => {
    const limits = range({ type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '2Gi' } });
    const claim = (storage: string) => claimLimitErrors({ spec: { resources: { requests: { storage } } } }, limits);
    expect(claim('1536Mi')).toEqual([]);
    expect(claim('3Gi')).toEqual(['maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi']);
    expect(claim('1Mi')).toEqual(['minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi']);
  });
});
