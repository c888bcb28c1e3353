/**
 * What is not there: a group, a version, a kind, a subresource, an option, a verb or a content type that nobody serves gets the
 * original's error, and never a silent success. Each row is one request.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { TestApiServer } from './apiserver.testkit.ts';

const server = await TestApiServer.start();

type Row = readonly [
  what: string,
  line: string,
  code: number,
  reason: string,
  message: RegExp,
  more?: { readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown },
];

const ABSENT = /^the server could not find the requested resource$/;
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const json = (body: unknown) => ({ body, headers: { 'Content-Type': 'application/json' } });
const merge = (body: unknown) => ({ body, headers: { 'Content-Type': 'application/merge-patch+json' } });
const CONFIG_MAP = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'there' } };

const PLACES: readonly Row[] = [
  ['group', 'GET /apis/example.org', 404, 'NotFound', ABSENT],
  ['group of a resource', 'GET /apis/example.org/v1/things', 404, 'NotFound', ABSENT],
  ['version', 'GET /apis/apps/v2/deployments', 404, 'NotFound', ABSENT],
  ['version of the core', 'GET /api/v2', 404, 'NotFound', ABSENT],
  ['resource', 'GET /api/v1/things', 404, 'NotFound', ABSENT],
  ['resource by its kind', 'GET /api/v1/namespaces/default/Pod', 404, 'NotFound', ABSENT],
  ['resource by its short name', 'GET /api/v1/namespaces/default/po', 404, 'NotFound', ABSENT],
  ['subresource', `GET ${DEPLOYMENTS}/there/things`, 404, 'NotFound', ABSENT],
  ['subresource of another kind', `GET ${CONFIG_MAPS}/there/scale`, 404, 'NotFound', ABSENT],
  ['subresource below a subresource', 'GET /api/v1/namespaces/default/pods/a/status/b', 404, 'NotFound', ABSENT],
  ['cluster-wide resource in a namespace', 'GET /api/v1/namespaces/default/nodes', 404, 'NotFound', ABSENT],
  ['object without its namespace', 'GET /api/v1/pods/there', 404, 'NotFound', ABSENT],
  ['path', 'GET /nowhere', 404, 'NotFound', ABSENT],
  ['document', 'GET /openapi/v3/apis/example.org/v1', 404, 'NotFound', ABSENT],
  ['object', `GET ${CONFIG_MAPS}/absent`, 404, 'NotFound', /^configmaps "absent" not found$/],
  ['object of a group', `GET ${DEPLOYMENTS}/absent`, 404, 'NotFound', /^deployments\.apps "absent" not found$/],
  [
    'scale of an absent object',
    `GET ${DEPLOYMENTS}/absent/scale`,
    404,
    'NotFound',
    /^deployments\.apps "absent" not found$/,
  ],
  ['object to delete', `DELETE ${CONFIG_MAPS}/absent`, 404, 'NotFound', /^configmaps "absent" not found$/],
  ['object to patch', `PATCH ${CONFIG_MAPS}/absent`, 404, 'NotFound', /^configmaps "absent" not found$/, merge({})],
  [
    'namespace',
    'POST /api/v1/namespaces/absent/configmaps',
    404,
    'NotFound',
    /^namespaces "absent" not found$/,
    json({ ...CONFIG_MAP, metadata: { name: 'x' } }),
  ],
  [
    'account to have a token',
    'POST /api/v1/namespaces/default/serviceaccounts/absent/token',
    404,
    'NotFound',
    /^serviceaccounts "absent" not found$/,
    json({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }),
  ],
  [
    'pod to evict',
    'POST /api/v1/namespaces/default/pods/absent/eviction',
    404,
    'NotFound',
    /^pods "absent" not found$/,
    json({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'absent' } }),
  ],
  ['pod to read', 'GET /api/v1/namespaces/default/pods/absent/log', 404, 'NotFound', /^pods "absent" not found$/],
];

const VERBS: readonly Row[] = [
  ['POST to an object', `POST ${CONFIG_MAPS}/there`, 405, 'MethodNotAllowed', /method|not supported/, json(CONFIG_MAP)],
  [
    'POST without a namespace',
    'POST /api/v1/configmaps',
    405,
    'MethodNotAllowed',
    /method|not supported/,
    json(CONFIG_MAP),
  ],
  ['PUT to a collection', `PUT ${CONFIG_MAPS}`, 405, 'MethodNotAllowed', /method|not supported/, json(CONFIG_MAP)],
  ['PATCH of a collection', `PATCH ${CONFIG_MAPS}`, 405, 'MethodNotAllowed', /method|not supported/, merge({})],
  ['DELETE of all namespaces', 'DELETE /api/v1/namespaces', 405, 'MethodNotAllowed', /method|not supported/],
  [
    'GET of reviews',
    'GET /apis/authorization.k8s.io/v1/subjectaccessreviews',
    405,
    'MethodNotAllowed',
    /method|not supported/,
  ],
  ['GET of bindings', 'GET /api/v1/namespaces/default/bindings', 405, 'MethodNotAllowed', /method|not supported/],
  ['DELETE of a status', `DELETE ${DEPLOYMENTS}/there/status`, 405, 'MethodNotAllowed', /method|not supported/],
  ['POST to a scale', `POST ${DEPLOYMENTS}/there/scale`, 405, 'MethodNotAllowed', /method|not supported/, json({})],
  [
    'GET of an eviction',
    'GET /api/v1/namespaces/default/pods/a/eviction',
    405,
    'MethodNotAllowed',
    /method|not supported/,
  ],
];

const MEDIA: readonly Row[] = [
  [
    'answer in HTML',
    `GET ${CONFIG_MAPS}`,
    406,
    'NotAcceptable',
    /^only the following media types are accepted: application\/json/,
    { headers: { Accept: 'text/html' } },
  ],
  [
    'answer in an unknown shape',
    `GET ${CONFIG_MAPS}`,
    406,
    'NotAcceptable',
    /only the following media types/,
    { headers: { Accept: 'application/json;as=Picture;v=v1;g=meta.k8s.io' } },
  ],
  [
    'body in plain text',
    `POST ${CONFIG_MAPS}`,
    415,
    'UnsupportedMediaType',
    /^the body of the request was in an unknown format - accepted media types include: application\/json/,
    { body: 'x', headers: { 'Content-Type': 'text/plain' } },
  ],
  [
    'patch as plain JSON',
    `PATCH ${CONFIG_MAPS}/there`,
    415,
    'UnsupportedMediaType',
    /accepted media types include: application\/json-patch\+json, application\/merge-patch\+json/,
    json({}),
  ],
  [
    'body that is no JSON',
    `POST ${CONFIG_MAPS}`,
    400,
    'BadRequest',
    /./,
    { body: '{', headers: { 'Content-Type': 'application/json' } },
  ],
  ['body that is no object', `POST ${CONFIG_MAPS}`, 400, 'BadRequest', /./, json([1])],
  ['no body', `POST ${CONFIG_MAPS}`, 400, 'BadRequest', /./],
  ['body of another kind', `POST ${CONFIG_MAPS}`, 400, 'BadRequest', /Secret/, json({ ...CONFIG_MAP, kind: 'Secret' })],
  [
    'body of another version',
    `POST ${CONFIG_MAPS}`,
    400,
    'BadRequest',
    /API version in the data \(v2\) does not match the expected API version \(v1\)/,
    json({ ...CONFIG_MAP, apiVersion: 'v2' }),
  ],
  [
    'body of another namespace',
    `POST ${CONFIG_MAPS}`,
    400,
    'BadRequest',
    /^the namespace of the provided object does not match the namespace sent on the request$/,
    json({ ...CONFIG_MAP, metadata: { name: 'x', namespace: 'other' } }),
  ],
  [
    'body of another name',
    `PUT ${CONFIG_MAPS}/there`,
    400,
    'BadRequest',
    /^the name of the object \(x\) does not match the name on the URL \(there\)$/,
    json({ ...CONFIG_MAP, metadata: { name: 'x' } }),
  ],
  [
    'unknown field, strictly',
    `POST ${CONFIG_MAPS}?fieldValidation=Strict`,
    400,
    'BadRequest',
    /strict decoding error: unknown field "dat"/,
    json({ ...CONFIG_MAP, metadata: { name: 'x' }, dat: {} }),
  ],
  [
    'field of the wrong type',
    `POST ${CONFIG_MAPS}`,
    400,
    'BadRequest',
    /cannot unmarshal number into Go struct field/,
    json({ ...CONFIG_MAP, metadata: { name: 'x' }, data: { a: 1 } }),
  ],
];

const OPTIONS: readonly Row[] = [
  [
    'label selector',
    `GET ${CONFIG_MAPS}?labelSelector=a%20b`,
    400,
    'BadRequest',
    /unable to parse requirement|found 'b'/,
  ],
  [
    'field selector',
    `GET ${CONFIG_MAPS}?fieldSelector=data.a=b`,
    400,
    'BadRequest',
    /"data\.a" is not a known field selector|field label not supported: data\.a/,
  ],
  ['limit', `GET ${CONFIG_MAPS}?limit=many`, 400, 'BadRequest', /limit/],
  ['continue token', `GET ${CONFIG_MAPS}?continue=garbage`, 400, 'BadRequest', /continue key is not valid/],
  ['revision', `GET ${CONFIG_MAPS}?resourceVersion=x`, 400, 'BadRequest', /resource version|resourceVersion/],
  [
    'revision to watch from',
    `GET ${CONFIG_MAPS}?watch=1&resourceVersion=x`,
    400,
    'BadRequest',
    /resource version|resourceVersion/,
  ],
  [
    'match of revisions without one',
    `GET ${CONFIG_MAPS}?resourceVersionMatch=Exact`,
    422,
    'Invalid',
    /resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided/,
  ],
  [
    'match of revisions',
    `GET ${CONFIG_MAPS}?resourceVersionMatch=Nearly&resourceVersion=1`,
    422,
    'Invalid',
    /resourceVersionMatch: Unsupported value: "Nearly": supported values: "Exact", "NotOlderThan"/,
  ],
  [
    'initial events without a match',
    `GET ${CONFIG_MAPS}?watch=1&sendInitialEvents=true`,
    422,
    'Invalid',
    /resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/,
  ],
  [
    'initial events of a list',
    `GET ${CONFIG_MAPS}?sendInitialEvents=true`,
    422,
    'Invalid',
    /sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list/,
  ],
  ['time-out', `GET ${CONFIG_MAPS}?watch=1&timeoutSeconds=soon`, 400, 'BadRequest', /timeoutSeconds/],
  [
    'dry run',
    `POST ${CONFIG_MAPS}?dryRun=Some`,
    422,
    'Invalid',
    /dryRun.*Some.*"All"/,
    json({ ...CONFIG_MAP, metadata: { name: 'x' } }),
  ],
  [
    'field validation',
    `POST ${CONFIG_MAPS}?fieldValidation=Lax`,
    422,
    'Invalid',
    /fieldValidation.*Lax/,
    json({ ...CONFIG_MAP, metadata: { name: 'x' } }),
  ],
  [
    'field manager',
    `POST ${CONFIG_MAPS}?fieldManager=${'x'.repeat(129)}`,
    422,
    'Invalid',
    /fieldManager.*may not be more than 128 bytes/,
    json({ ...CONFIG_MAP, metadata: { name: 'x' } }),
  ],
  [
    'force without apply',
    `PATCH ${CONFIG_MAPS}/there?force=true`,
    422,
    'Invalid',
    /force: Forbidden: may not be specified for non-apply patch/,
    merge({}),
  ],
  [
    'apply without a manager',
    `PATCH ${CONFIG_MAPS}/there`,
    422,
    'Invalid',
    /fieldManager: Required value: is required for apply patch/,
    { body: CONFIG_MAP, headers: { 'Content-Type': 'application/apply-patch+yaml' } },
  ],
  [
    'propagation',
    `DELETE ${CONFIG_MAPS}/there?propagationPolicy=Sideways`,
    422,
    'Invalid',
    /propagationPolicy.*"Sideways".*"Background", "Foreground", "Orphan"/,
  ],
  ['grace', `DELETE ${CONFIG_MAPS}/there?gracePeriodSeconds=long`, 400, 'BadRequest', /gracePeriodSeconds/],
  [
    'precondition',
    `DELETE ${CONFIG_MAPS}/there`,
    409,
    'Conflict',
    /Precondition failed: UID in precondition: nope/,
    json({ preconditions: { uid: 'nope' } }),
  ],
  [
    'stale revision',
    `PUT ${CONFIG_MAPS}/there`,
    409,
    'Conflict',
    /the object has been modified; please apply your changes to the latest version and try again/,
    json({ ...CONFIG_MAP, metadata: { name: 'there', resourceVersion: '1' } }),
  ],
  ['taken name', `POST ${CONFIG_MAPS}`, 409, 'AlreadyExists', /^configmaps "there" already exists$/, json(CONFIG_MAP)],
];

describe.skipIf(server === undefined)('what is not there', () => {
  const api = server!;
  const token = tokenIn(api.kubeconfig);
  afterAll(() => api.stop());

  beforeAll(async () => {
    const { code } = await ask(api.port, token, `POST ${CONFIG_MAPS}`, json(CONFIG_MAP));
    expect(code).toBe(201);
  });

  describe.each([
    ['places', PLACES],
    ['verbs', VERBS],
    ['content', MEDIA],
    ['options', OPTIONS],
  ])('%s', (_, rows) => {
    it.each(rows.map((row) => [...row] as [...Row]))('%s: %s is %d %s', async (...row) => {
      const [, line, code, reason, message, more = {}] = row;
      const answer = await ask(api.port, token, line, more);
      expect(answer).toMatchObject({
        code,
        status: { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code },
      });
      expect(answer.status.message).toMatch(message);
    });
  });

  it('tells nobody anything without credentials', async () => {
    const answer = await ask(api.port, undefined, 'GET /apis/example.org/v1/things', {});
    expect(answer).toMatchObject({ code: 401, status: { reason: 'Unauthorized' } });
  });

  it('changed nothing', async () => {
    const answer = await ask(api.port, token, `GET ${CONFIG_MAPS}?labelSelector=`, {});
    expect(JSON.stringify(answer.status)).not.toMatch(/"name":"x"/);
  });
});

function tokenIn(kubeconfig: string): string {
  const { users } = parse(readFileSync(kubeconfig, 'utf8')) as { users: { user: { token: string } }[] };
  return users[0]!.user.token;
}

interface Answer {
  readonly code: number;
  readonly status: { readonly message?: string };
}

async function ask(port: number, token: string | undefined, line: string, more: Row[5] & object): Promise<Answer> {
  const [method, path] = line.split(' ');
  const body = more.body === undefined || typeof more.body === 'string' ? more.body : JSON.stringify(more.body);
  const call = request({
    port,
    method,
    path,
    rejectUnauthorized: false,
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      // Node says the length of a body by itself, but not that of a DELETE.
      ...(body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }),
      ...more.headers,
    },
  });
  call.end(body);
  const [response] = await once(call, 'response');
  let text = '';
  for await (const part of response) text += part;
  return { code: response.statusCode, status: JSON.parse(text) };
}
