/** `agnhost dns-suffix`, `dns-server-list`, `etc-hosts`: what the pod's resolver was told. */
import type { Program } from '../../image.ts';
import { write } from '../../program-io.ts';

export const dnsSuffix: Program = async ({ container, stdout }) => {
  await write(stdout, `${container.resolver.config().search.join(',')}\n`);
  return 0;
};

export const dnsServerList: Program = async ({ container, stdout }) => {
  await write(stdout, `${container.resolver.config().nameservers.join(',')}\n`);
  return 0;
};

export const etcHosts: Program = async ({ container, stdout }) => {
  await write(stdout, container.files.readBytes('/etc/hosts'));
  return 0;
};
