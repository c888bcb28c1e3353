/** httpd (Apache): serves /usr/local/apache2/htdocs on port 80 (or what `Listen` of httpd.conf says). */
import { ALL_NETWORK } from '../commands/toolset.ts';
import { BASH, COREUTILS } from '../coreutils/toolset.ts';
import { type Image, lazyProgram } from '../image.ts';
import { DEBIAN_FILES } from './distribution-files.ts';

export const HTDOCS = '/usr/local/apache2/htdocs';
export const HTTPD_CONF = '/usr/local/apache2/conf/httpd.conf';

const httpd = lazyProgram(async () => (await import('./httpd-server.ts')).httpd);

export const httpdImage: Image = {
  repositories: ['httpd'],
  defaultCommand: ['httpd-foreground'],
  programs: { ...COREUTILS, ...BASH, ...ALL_NETWORK, httpd, 'httpd-foreground': httpd, apachectl: httpd },
  workingDirectory: '/usr/local/apache2',
  files: {
    ...DEBIAN_FILES,
    [`${HTDOCS}/index.html`]: '<html><body><h1>It works!</h1></body></html>\n',
    [HTTPD_CONF]: `ServerRoot "/usr/local/apache2"\nListen 80\nDocumentRoot "${HTDOCS}"\n`,
  },
};
