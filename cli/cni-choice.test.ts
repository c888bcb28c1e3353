import { describe, expect, it } from 'vitest';
import { chooseCni } from './cni-choice.ts';

describe('chooseCni', () => {
  it.each([
    ['the default', {}, undefined, { cni: 'flannel', cniBackend: 'vxlan' }],
    ['what was asked for', { cniBackend: 'host-gw' }, undefined, { cni: 'flannel', cniBackend: 'host-gw' }],
    ['what the cluster had', {}, { cni: 'canal', cniBackend: 'host-gw' }, { cni: 'canal', cniBackend: 'host-gw' }],
    [
      'another plugin',
      { cni: 'flannel' },
      { cni: 'canal', cniBackend: 'host-gw' },
      { cni: 'flannel', cniBackend: 'vxlan' },
    ],
    ['no network', { cni: 'none' }, undefined, { cni: 'none', cniBackend: undefined }],
  ] as const)('%s', (_, requested, saved, chosen) => {
    expect(chooseCni(requested, saved, 'ipv4')).toEqual(chosen);
  });

  it('refuses a backend that the plugin lacks', () => {
    expect(() => chooseCni({ cni: 'none', cniBackend: 'vxlan' }, undefined, 'ipv4')).toThrow(
      "--cni-backend vxlan: the plugin 'none' does not have it; it has none",
    );
  });
});
