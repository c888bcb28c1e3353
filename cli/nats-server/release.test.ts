import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from './command.ts';
import { fetchedProgram } from './program-file.ts';
import { downloadRelease } from './release.ts';

let folder: string;
let server: Server;
let url: string;
/** What the release page says of the archive; the right checksum by default. */
let checksum: (archive: Buffer) => string;
const asked: string[] = [];

/** A release page that has any archive that is asked for: a program that prints its name. */
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-release-'));
  checksum = (archive) => createHash('sha256').update(archive).digest('hex');
  asked.length = 0;
  let archive: Promise<Buffer> | undefined;
  const archiveName = Promise.withResolvers<string>();
  server = createServer(async (request, response) => {
    const name = basename(request.url ?? '');
    asked.push(name);
    if (name === 'SHA256SUMS') {
      const wanted = await archiveName.promise;
      response.end(`${'0'.repeat(64)}  other.zip\n${checksum((await archive) ?? Buffer.alloc(0))}  ${wanted}\n`);
      return;
    }
    archive = packProgram(name.replace('.tar.gz', ''));
    archiveName.resolve(name);
    response.end(await archive);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

async function packProgram(name: string): Promise<Buffer> {
  const source = join(folder, 'source');
  mkdirSync(join(source, name), { recursive: true });
  writeFileSync(join(source, name, 'nats-server'), '#!/bin/sh\necho fetched\n');
  chmodSync(join(source, name, 'nats-server'), 0o755);
  await runCommand('tar', ['-czf', 'archive.tar.gz', name], { cwd: source });
  return readFileSync(join(source, 'archive.tar.gz'));
}

describe('downloadRelease', () => {
  it('keeps a program whose checksum is right', async () => {
    const target = join(folder, 'cache');
    const outcome = await downloadRelease({ folder: target, report: () => undefined }, url);
    expect(outcome).toEqual({ path: fetchedProgram(target) });
    expect(asked.find((name) => name.endsWith('.tar.gz'))).toMatch(
      /^nats-server-v2\.\d+\.\d+-(linux|darwin)-\w+\.tar\.gz$/,
    );
    expect(await runCommand(fetchedProgram(target), [])).toEqual({ ok: true, output: 'fetched' });
    expect(readdirSync(target)).toEqual(['nats-server']);
  });

  it('keeps nothing whose checksum is wrong', async () => {
    checksum = () => 'f'.repeat(64);
    const target = join(folder, 'cache');
    const outcome = await downloadRelease({ folder: target, report: () => undefined }, url);
    expect(outcome).toMatchObject({ failure: expect.stringContaining(`SHA256SUMS says ${'f'.repeat(64)}`) });
    expect(() => readdirSync(target)).toThrow('ENOENT');
  });

  it('says where nobody answered', async () => {
    server.close();
    await new Promise((resolve) => server.once('close', resolve));
    const outcome = await downloadRelease({ folder, report: () => undefined }, url);
    expect(outcome).toMatchObject({ failure: expect.stringContaining('cannot be reached') });
  });
});
