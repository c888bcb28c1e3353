import { describe, expect, it } from 'vitest';
import { findImage, imageNames, repositoryOf } from './registry.ts';

describe('image references', () => {
  it.each([
    ['busybox', 'busybox'],
    ['busybox:1.36', 'busybox'],
    ['docker.io/library/busybox@sha256:00', 'busybox'],
    ['localhost:5000/mirror/alpine', 'alpine'],
    ['curlimages/curl:8.10.1', 'curlimages/curl'],
    ['registry.k8s.io/pause:3.10', 'pause'],
    ['registry.k8s.io/e2e-test-images/jessie-dnsutils:1.7', 'jessie-dnsutils'],
    ['nicolaka/netshoot', 'nicolaka/netshoot'],
  ])('%s is %s', (reference, name) => {
    expect(findImage(reference)?.repositories[0]).toBe(name);
  });

  it.each(['mybusybox', 'busybox-extra:1', 'curl', ''])('%s is nothing', (reference) => {
    expect(findImage(reference)).toBeUndefined();
  });

  it('keeps the port of a registry host', () => {
    expect(repositoryOf('localhost:5000/a/b:tag@sha256:1')).toBe('localhost:5000/a/b');
  });

  it('lists names once and sorted', () => {
    const names = imageNames();
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual([...names].sort());
  });
});
