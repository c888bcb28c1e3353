/** visits: counts its visitors, on port 80 or the one that is its argument. */
import { serviceProgram } from 'podwire/catalogue/service.ts';
import { COREUTILS } from 'podwire/coreutils/toolset.ts';

const visits = serviceProgram(async (service) => {
  let count = 0;
  const port = Number(service.context.argv[1] ?? 80);
  await service.http({ port }, (_request, response) => {
    count += 1;
    response.end(`visitor ${count} of ${service.context.container.hostname}\n`);
  });
  service.print(`visits listens on port ${port}`);
  service.onSignals(['SIGTERM'], () => service.finish(0));
});

export const visitsImage = {
  repositories: ['visits'],
  entrypoint: ['visits'],
  defaultCommand: ['80'],
  programs: { ...COREUTILS, visits },
};
