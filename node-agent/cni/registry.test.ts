import { describe, expect, it } from 'vitest';
import { CNI_PLUGINS, type CniPluginName } from '../../shared/runtime/cni-plugins.ts';
import { loadPlugin, PluginLoadError } from './registry.ts';

describe('loadPlugin', () => {
  it.each(CNI_PLUGINS.filter((name) => name !== 'none'))('%s', async (name) => {
    expect(await loadPlugin(name)).toBeTypeOf('function');
  });

  it('none is no plugin', async () => {
    expect(await loadPlugin('none')).toBeUndefined();
  });

  it('a plugin that cannot be loaded is one error that names it', async () => {
    const missing = loadPlugin('ovn' as CniPluginName);
    await expect(missing).rejects.toThrow(PluginLoadError);
    await expect(missing).rejects.toThrow(/^the CNI plugin 'ovn' cannot be loaded: .*; install podwire anew/);
  });
});
