import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{shared,services,node-agent,dns,proxy,cli,labs,bench,test}/**/*.test.ts'],
    globalSetup: ['test/nats-server.setup.ts'],
    // For what hangs, never for what is slow: conditions have a limit of their own (`test/wait-for.ts`).
    testTimeout: 180_000,
    hookTimeout: 240_000,
    // Two cores: more workers only make the tests with real processes slower.
    maxWorkers: 2,
    reporters: ['default'],
  },
});
