/** The pages that nginx makes itself: errors, redirects and folder listings. */
import { STATUS_CODES } from 'node:http';

export const NGINX_VERSION = 'nginx/1.27.5';

const OWN_WORDS: Readonly<Record<number, string>> = {
  413: 'Request Entity Too Large',
  503: 'Service Temporarily Unavailable',
  504: 'Gateway Time-out',
};

export function statusPage(status: number): string {
  const title = `${status} ${OWN_WORDS[status] ?? STATUS_CODES[status] ?? ''}`.trim();
  const body = `<center><h1>${title}</h1></center>\r\n<hr><center>${NGINX_VERSION}</center>`;
  return `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n${body}\r\n</body>\r\n</html>\r\n`;
}

export function listingPage(path: string, names: readonly string[]): string {
  const links = ['../', ...names].map((name) => `<a href="${encodeURI(name)}">${name}</a>`);
  const title = `Index of ${path}`;
  return `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<h1>${title}</h1><hr><pre>${links.join('\r\n')}\r\n</pre><hr></body>\r\n</html>\r\n`;
}
