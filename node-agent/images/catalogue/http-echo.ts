/** hashicorp/http-echo: one text for every request, on port 5678. */
import { type Image, lazyProgram } from '../image.ts';

export const httpEchoImage: Image = {
  repositories: ['hashicorp/http-echo', 'http-echo'],
  entrypoint: ['/http-echo'],
  defaultCommand: [],
  programs: { '/http-echo': lazyProgram(async () => (await import('./http-echo-server.ts')).httpEcho) },
};
