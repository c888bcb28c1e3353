/** kennethreitz/httpbin: requests that describe themselves; statuses, delays and redirects on demand. */
import { type Image, lazyProgram } from '../../image.ts';

export const httpbinImage: Image = {
  repositories: ['kennethreitz/httpbin', 'httpbin'],
  defaultCommand: ['gunicorn', '-b', '0.0.0.0:80', 'httpbin:app', '-k', 'gevent'],
  programs: { gunicorn: lazyProgram(async () => (await import('./httpbin-server.ts')).httpbin) },
};
