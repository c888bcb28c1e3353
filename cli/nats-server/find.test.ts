import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FetchStep, findNatsServer } from './find.ts';
import { type FetchContext, fetchedProgram } from './program-file.ts';

let folder: string;
let context: FetchContext;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-find-'));
  context = { folder, report: () => undefined };
});
afterEach(() => rmSync(folder, { recursive: true }));

function putProgram(path: string): string {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, '#!/bin/sh\n');
  chmodSync(path, 0o755);
  return path;
}

function find(environment: Record<string, string>, steps: readonly FetchStep[] = []) {
  return findNatsServer(context, { environment, steps, systemFolders: [join(folder, 'sbin')] });
}

describe('findNatsServer', () => {
  it("takes a server of the user's own before all others", async () => {
    putProgram(join(folder, 'bin/nats-server'));
    const environment = { NATS_URL: 'nats://example.test:4222', NATS_TOKEN: 's', PATH: join(folder, 'bin') };
    expect(await find(environment)).toEqual({ kind: 'external', url: 'nats://example.test:4222', token: 's' });
  });

  it('then a program on PATH, then in the folders of servers, then one fetched before', async () => {
    const environment = { PATH: `/nowhere:${join(folder, 'bin')}` };
    const fetched = putProgram(fetchedProgram(folder));
    expect(await find(environment)).toEqual({ kind: 'program', path: fetched });
    const server = putProgram(join(folder, 'sbin/nats-server'));
    expect(await find(environment)).toEqual({ kind: 'program', path: server });
    const onPath = putProgram(join(folder, 'bin/nats-server'));
    expect(await find(environment)).toEqual({ kind: 'program', path: onPath });
  });

  it('then tries to fetch one, step by step', async () => {
    const tried: string[] = [];
    const step = (name: string, outcome: () => { path: string } | { failure: string }): FetchStep => ({
      name,
      fetch: async () => {
        tried.push(name);
        return outcome();
      },
    });
    const source = await find({}, [
      step('one', () => ({ failure: 'not here' })),
      step('two', () => {
        throw new Error('out of order');
      }),
      step('three', () => ({ path: '/fetched' })),
      step('four', () => ({ path: '/never' })),
    ]);
    expect(source).toEqual({ kind: 'program', path: '/fetched' });
    expect(tried).toEqual(['one', 'two', 'three']);
  });

  it('says all that was tried and what to do', async () => {
    const steps = [{ name: 'apt', fetch: async () => ({ failure: 'no network' }) }];
    const error = await find({ PATH: '' }, steps).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: 'UserError' });
    const text = String(error);
    for (const part of ['PATH: no nats-server', folder, 'apt: no network', 'NATS_URL', 'https://nats.io/download']) {
      expect(text).toContain(part);
    }
  });
});
