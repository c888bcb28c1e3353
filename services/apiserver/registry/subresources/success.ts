import type { Status } from '../../../../shared/api/status.ts';

/** What is answered where there is no object to give back. */
export const SUCCESS: Status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' };
