import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{shared,services,node-agent,dns,proxy,cli,labs,bench,test}/**/*.test.ts'],
    globalSetup: ['test/nats-server.setup.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // Two cores: more workers only make the tests with real processes slower.
    maxWorkers: 2,
    reporters: ['default'],
  },
});
