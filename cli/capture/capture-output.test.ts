import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { UserError } from '../user-error.ts';
import { openCaptureOutput } from './capture-output.ts';

test('a file has what was written', async () => {
  const path = join(tmpdir(), `podwire-capture-${process.pid}.pcapng`);
  const output = await openCaptureOutput(path);
  await output.write(Buffer.from('one '));
  await output.write(Buffer.from('two'));
  await output.close();
  expect(await readFile(path, 'utf8')).toBe('one two');
  await rm(path);
});

test('a file that cannot be made is one sentence', async () => {
  await expect(openCaptureOutput('/nonexistent/x.pcapng')).rejects.toThrow(
    /^the capture cannot be written to \/nonexistent\/x\.pcapng: /,
  );
});

const FULL = '/dev/full';

test('a full disk ends the capture, and is told at its end', async ({ skip }) => {
  if (!existsSync(FULL)) skip(`there is no ${FULL} on this machine`);
  const output = await openCaptureOutput(FULL);
  const gone = new Promise<void>((resolve) => {
    output.onGone = resolve;
  });
  await output.write(Buffer.from('packets'));
  await gone;
  await output.write(Buffer.from('more'));
  const closed = output.close();
  await expect(closed).rejects.toThrow(UserError);
  await expect(closed).rejects.toThrow(/^the capture ended early, \/dev\/full cannot be written: ENOSPC/);
});
