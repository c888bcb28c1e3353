/**
 * `import ... from 'node:http'` makes Node read every export of the module, the lazy ones for WebSocket among them, which
 * loads its whole fetch implementation: 14 MB resident that no process here uses. In bundles the module is therefore
 * taken as `process.getBuiltinModule` gives it, where lazy exports stay unread.
 */
import type { Plugin } from 'esbuild';

const MODULE = 'node:http';
/** Those that are values and not lazy. */
const EXPORTS = [
  'Agent',
  'ClientRequest',
  'IncomingMessage',
  'METHODS',
  'OutgoingMessage',
  'STATUS_CODES',
  'Server',
  'ServerResponse',
  'createServer',
  'get',
  'globalAgent',
  'request',
  'validateHeaderName',
  'validateHeaderValue',
] as const;

export const leanHttpPlugin: Plugin = {
  name: 'lean-http',
  setup(build) {
    build.onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      // `require` reads no export that is not asked for.
      kind === 'require-call' ? undefined : { path: MODULE, namespace: 'lean-http' },
    );
    build.onLoad({ filter: /.*/, namespace: 'lean-http' }, () => ({
      contents: `const http = process.getBuiltinModule('${MODULE}');
export const { ${EXPORTS.join(', ')} } = http;
export default http;`,
      loader: 'js',
    }));
  },
};
