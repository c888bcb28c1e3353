import { describe, expect, it } from 'vitest';
import { startTestContainer } from './container.testkit.ts';

/** None of them ever waits. */
const BUSY = [
  'while :; do :; done',
  'while true; do x=$((x+1)); done',
  'while true; do echo x; done | cat > /dev/null',
  'cat /dev/zero > /dev/null',
  'cat /dev/zero | wc -c',
  'cat /dev/zero | tr a b > /dev/null',
  'head -c 100000000000 /dev/urandom | md5sum',
  'yes > /dev/null',
  'yes | cat > /dev/null',
  'seq 1 100000000000 > /dev/null',
  "sed ':a;ba' /etc/hosts",
  "awk 'BEGIN { while (1); }'",
];

describe('a program that never waits', () => {
  it.each(BUSY)('%s: others have their turn, and it can be killed', async (script) => {
    const { sh } = startTestContainer();
    const running = sh(`timeout -s KILL 0.1 sh -c "${script.replaceAll(/[$"]/g, '\\$&')}"`);
    // If the program had the process for itself, no timer would end it.
    expect((await running).code).toBe(137);
  });
});
