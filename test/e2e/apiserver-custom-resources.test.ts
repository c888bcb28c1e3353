/**
 * Custom resources through a real kubectl, against an apiserver alone. Each row is one invocation, in order, with the exit
 * code and the shape of what it prints; a row may build on the ones before it.
 */
import { once } from 'node:events';
import { afterAll, describe, expect, it } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestApiServer } from './apiserver.testkit.ts';

const server = await TestApiServer.start();

interface Row {
  readonly command: string;
  readonly input?: string;
  /** 0 by default. */
  readonly code?: number;
  readonly stdout?: RegExp;
  readonly stderr?: RegExp;
}

const VERSION_SCHEMA = `
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [cron]
            properties:
              cron: {type: string, pattern: "^[0-9*]+ [0-9*]+$", description: When it runs.}
              replicas: {type: integer, minimum: 0, maximum: 10, default: 1}
              mode: {type: string, enum: [Fast, Slow], default: Fast}
              port: {x-kubernetes-int-or-string: true}
              free: {type: object, x-kubernetes-preserve-unknown-fields: true}
              labels: {type: object, additionalProperties: {type: string}}
              steps:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items: {type: object, required: [name], properties: {name: {type: string}, size: {type: integer}}}
          status:
            type: object
            properties: {replicas: {type: integer}, selector: {type: string}}`;
const CRONTABS = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct], categories: [all]}
  versions:
  - name: v1beta1
    served: true
    storage: false
    deprecated: true
    schema: ${VERSION_SCHEMA}
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns:
    - {name: Cron, type: string, jsonPath: .spec.cron}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .status.selector}
    schema: ${VERSION_SCHEMA}
`;
const ROOMS = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rooms.stable.example.com}
spec:
  group: stable.example.com
  scope: Cluster
  names: {plural: rooms, kind: Room}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`;
const TAB = `
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: tab, annotations: {note: kept}}
spec: {cron: "* 5", free: {any: {thing: [1]}}, steps: [{name: a}, {name: b}]}
`;
const ROOM = 'apiVersion: stable.example.com/v1\nkind: Room\nmetadata: {name: attic}\nsize: 3\n';

function tabWith(spec: string): string {
  return `{"apiVersion":"stable.example.com/v1","kind":"CronTab","metadata":{"name":"bad"},"spec":${spec}}`;
}

const ROWS: readonly Row[] = [
  // The definition.
  { command: 'get crontabs', code: 1, stderr: /doesn't have a resource type "crontabs"/ },
  { command: 'apply -f -', input: TAB, code: 1, stderr: /no matches for kind "CronTab" in version/ },
  {
    command: 'apply -f -',
    input: CRONTABS.replaceAll('cron: {type: string, ', 'cron: {'),
    code: 1,
    stderr:
      /spec\.versions\[1\]\.schema\.openAPIV3Schema\.properties\[spec\]\.properties\[cron\]\.type: Required value: must not be empty for specified object fields/,
  },
  { command: 'apply -f -', input: CRONTABS, stdout: /crontabs\.stable\.example\.com created/ },
  { command: 'wait --for condition=established crd/crontabs.stable.example.com', stdout: /condition met/ },
  {
    command: 'get crd crontabs.stable.example.com -o jsonpath={.status.storedVersions}{.status.acceptedNames.listKind}',
    stdout: /^\["v1"\]CronTabList$/,
  },
  {
    command: 'api-resources --api-group stable.example.com',
    stdout: /crontabs +ct +stable\.example\.com\/v1 +true +CronTab/,
  },
  { command: 'api-versions', stdout: /^stable\.example\.com\/v1beta1$/m },
  {
    command: 'get --raw /apis/stable.example.com',
    stdout: /"preferredVersion":\{"groupVersion":"stable.example.com\/v1"/,
  },
  { command: 'get --raw /apis/stable.example.com/v1', stdout: /"name":"crontabs\/scale"/ },
  { command: 'get --raw /apis/stable.example.com/v2', code: 1, stderr: /could not find the requested resource/ },
  { command: 'explain crontab.spec', stdout: /cron\s+<string> -required-[\s\S]*When it runs\./ },
  { command: 'explain crontab.metadata.labels', stdout: /FIELD: labels/ },

  {
    command: 'get crd crontabs.stable.example.com -o jsonpath={.spec.versions[1].schema..replicas.minimum}',
    stdout: /^0/,
  },
  {
    command: 'patch crd crontabs.stable.example.com --type merge -p {"spec":{"scope":"Cluster"}}',
    code: 1,
    stderr: /spec\.scope: Invalid value: "Cluster": field is immutable/,
  },

  // Objects.
  { command: 'apply -f -', input: TAB, stdout: /crontab\.stable\.example\.com\/tab created/ },
  { command: 'apply -f -', input: TAB, stdout: /tab unchanged/ },
  { command: 'get ct', stdout: /^NAME +CRON +REPLICAS\ntab +\* 5 +1$/m },
  { command: 'get all', stdout: /crontab\.stable\.example\.com\/tab/ },
  { command: 'get ct tab -o jsonpath={.spec.mode},{.spec.replicas},{.metadata.generation}', stdout: /^Fast,1,1$/ },
  {
    command: 'get ct tab -o jsonpath={.spec.free}{.metadata.annotations.note}',
    stdout: /^\{"any":\{"thing":\[1\]\}\}kept$/,
  },
  {
    command: 'get crontabs.v1beta1.stable.example.com tab -o jsonpath={.apiVersion}',
    stdout: /v1beta1$/,
    stderr: /deprecated/,
  },
  { command: 'get ct -A --field-selector metadata.name=tab -o name', stdout: /tab/ },
  { command: 'get ct --field-selector spec.cron=x', code: 1, stderr: /field/ },
  { command: 'get ct missing', code: 1, stderr: /crontabs\.stable\.example\.com "missing" not found/ },
  { command: 'describe ct tab', stdout: /Kind: +CronTab[\s\S]*Cron: +\* 5/ },
  { command: 'label ct tab a=b', stdout: /labeled/ },
  { command: 'get ct -l a=b -o name', stdout: /tab/ },

  // The schema.
  { command: 'create -f -', input: tabWith('{}'), code: 1, stderr: /spec\.cron: Required value/ },
  {
    command: 'create -f -',
    input: tabWith('{"cron":"daily"}'),
    code: 1,
    stderr:
      /The CronTab "bad" is invalid: spec\.cron: Invalid value: "daily": spec\.cron in body should match '\^\[0-9\*\]/,
  },
  {
    command: 'create -f -',
    input: tabWith('{"cron":"1 1","replicas":11}'),
    code: 1,
    stderr: /spec\.replicas: Invalid value: 11: spec\.replicas in body should be less than or equal to 10/,
  },
  {
    command: 'create -f -',
    input: tabWith('{"cron":"1 1","replicas":"2"}'),
    code: 1,
    stderr: /spec\.replicas: Invalid value: "2": spec\.replicas in body must be of type integer: "string"/,
  },
  {
    command: 'create -f -',
    input: tabWith('{"cron":"1 1","mode":"Odd"}'),
    code: 1,
    stderr: /spec\.mode: Unsupported value: "Odd": supported values: "Fast", "Slow"/,
  },
  {
    command: 'create -f -',
    input: tabWith('{"cron":"1 1","steps":[{"name":"a"},{"name":"a"}]}'),
    code: 1,
    stderr: /spec\.steps\[1\]: Duplicate value: \{"name":"a"\}/,
  },
  {
    command: 'create -f -',
    input: tabWith('{"cron":"1 1","foo":1}'),
    code: 1,
    stderr: /strict decoding error: unknown field "spec\.foo"/,
  },
  {
    command: 'create --validate=false -f -',
    input: tabWith('{"cron":"1 1","foo":1,"port":"http"}'),
    stdout: /created/,
  },
  { command: 'get ct bad -o jsonpath={.spec.foo}{.spec.port}', stdout: /^http$/ },

  // Patches.
  { command: 'patch ct tab --type merge -p {"spec":{"port":80}}', stdout: /patched/ },
  { command: 'patch ct tab --type json -p [{"op":"replace","path":"/spec/mode","value":"Slow"}]', stdout: /patched/ },
  { command: 'get ct tab -o jsonpath={.spec.port},{.spec.mode},{.metadata.generation}', stdout: /^80,Slow,3$/ },
  {
    command: 'patch ct tab -p {"spec":{}}',
    code: 1,
    stderr:
      /accepted media types include: application\/json-patch\+json, application\/merge-patch\+json, application\/apply-patch\+yaml/,
  },
  { command: 'patch ct tab --type merge -p {"spec":{"mode":null}}', stdout: /patched/ },
  { command: 'get ct tab -o jsonpath={.spec.mode}', stdout: /^Fast$/ },
  {
    command: 'apply --server-side --field-manager other -f -',
    input: TAB.replace(
      '{cron: "* 5", free: {any: {thing: [1]}}, steps: [{name: a}, {name: b}]}',
      '{cron: "* 5", steps: [{name: c, size: 1}]}',
    ),
    stdout: /serverside-applied/,
  },
  { command: 'get ct tab -o jsonpath={.spec.steps[*].name}', stdout: /^a b c$/ },
  {
    command: 'apply --server-side --field-manager third -f -',
    input: TAB.replace('* 5', '1 1'),
    code: 1,
    stderr: /conflict.*\.spec\.cron/s,
  },

  // Subresources.
  { command: 'scale ct tab --replicas 4', stdout: /scaled/ },
  {
    command: 'get --raw /apis/stable.example.com/v1/namespaces/default/crontabs/tab/scale',
    stdout: /"spec":\{"replicas":4\}/,
  },
  {
    command: 'patch ct tab --subresource status --type merge -p {"status":{"replicas":4},"spec":{"replicas":9}}',
    stdout: /patched/,
  },
  { command: 'patch ct tab --type merge -p {"status":{"replicas":7}}', stdout: /patched/ },
  { command: 'get ct tab -o jsonpath={.spec.replicas},{.status.replicas}', stdout: /^4,4$/ },
  {
    command: 'patch ct tab --subresource status --type merge -p {"status":{"replicas":"x"}}',
    code: 1,
    stderr: /status\.replicas in body must be of type integer/,
  },

  // Another scope, and names that are taken.
  { command: 'apply -f -', input: ROOMS, stdout: /created/ },
  { command: 'wait --for condition=established crd --all', stdout: /rooms/ },
  { command: 'apply -f -', input: ROOM, stdout: /room\.stable\.example\.com\/attic created/ },
  { command: 'get rooms attic -o jsonpath={.size}', stdout: /^3$/ },
  { command: 'get rooms', stdout: /^NAME +AGE\nattic/ },
  {
    command: 'apply -f -',
    input: ROOMS.replace('rooms.stable', 'halls.stable').replace('plural: rooms', 'plural: halls'),
    stdout: /created/,
  },
  {
    command: 'get crd halls.stable.example.com -o jsonpath={.status.conditions[*].reason}',
    stdout: /^ListKindConflict NotAccepted$/,
  },
  { command: 'get halls', code: 1, stderr: /doesn't have a resource type/ },

  // Deletion.
  { command: 'delete ct bad', stdout: /"bad" deleted/ },
  { command: 'delete ct --all', stdout: /"tab" deleted/ },
  { command: 'apply -f -', input: TAB, stdout: /created/ },
  { command: 'delete crd rooms.stable.example.com --timeout 60s', stdout: /deleted/ },
  { command: 'get rooms', code: 1, stderr: /doesn't have a resource type|could not find the requested resource/ },
  { command: 'wait --for condition=established crd/halls.stable.example.com --timeout 60s', stdout: /condition met/ },
];

/** Split at blanks; no argument above has one. */
function argumentsOf(command: string): string[] {
  return command.split(' ').filter((part) => part !== '');
}

describe.skipIf(server === undefined)('custom resources', () => {
  const api = server!;
  afterAll(() => api.stop());

  it.each(ROWS)('$command', async ({ command, input, code = 0, stdout, stderr }) => {
    const result = await api.kubectl(argumentsOf(command), input);
    expect(result.code, result.stderr + result.stdout).toBe(code);
    if (stdout !== undefined) expect(result.stdout).toMatch(stdout);
    if (stderr !== undefined) expect(result.stderr).toMatch(stderr);
  });

  it('ends the watches of what is not served any more, after it has told of the last object', async () => {
    const path = '/apis/stable.example.com/v1/crontabs?watch=1';
    const watch = api.spawnKubectl(['get', '--raw', path]);
    let seen = '';
    watch.stdout?.on('data', (data) => {
      seen += data;
    });
    const closed = once(watch, 'close');
    await waitFor('the object', () => seen.includes('"ADDED"'));
    const deleted = await api.kubectl(['delete', 'crd', 'crontabs.stable.example.com', '--timeout', '60s']);
    expect(deleted.code, deleted.stderr).toBe(0);
    await closed;
    expect(seen).toMatch(/"type":"DELETED"/);
    expect((await api.kubectl(['get', 'ct'])).code).toBe(1);
  });

  it('finds no objects of a definition that comes again, and serves them after a restart', async () => {
    await api.kubectl(['apply', '-f', '-'], CRONTABS);
    expect((await api.kubectl(['get', 'ct'])).stderr).toMatch(/No resources found/);
    await api.kubectl(['apply', '-f', '-'], TAB);
    await api.kill();
    await api.startProcess();
    expect((await api.kubectl(['get', 'ct', '-o', 'name'])).stdout).toMatch(/tab/);
  });

  it('keeps a definition until the finalizers of its objects are gone, and takes no new objects meanwhile', async () => {
    const finalizers = '{"metadata":{"finalizers":["example.com/held"]}}';
    await api.kubectl(['patch', 'ct', 'tab', '--type', 'merge', '-p', finalizers]);
    await api.kubectl(['delete', 'crd', 'crontabs.stable.example.com', '--wait=false']);
    await waitFor(
      'the object to be marked',
      async () =>
        (await api.kubectl(['get', 'ct', 'tab', '-o', 'jsonpath={.metadata.deletionTimestamp}'])).stdout !== '',
    );
    const condition = 'jsonpath={.status.conditions[?(@.type=="Terminating")].status}';
    expect((await api.kubectl(['get', 'crd', 'crontabs.stable.example.com', '-o', condition])).stdout).toBe('True');
    const refused = await api.kubectl(['create', '-f', '-'], TAB.replace('name: tab', 'name: late'));
    expect(refused.stderr).toMatch(/create not allowed while custom resource definition is terminating/);
    await api.kubectl(['patch', 'ct', 'tab', '--type', 'merge', '-p', '{"metadata":{"finalizers":null}}']);
    const gone = ['wait', '--for=delete', 'crd/crontabs.stable.example.com', '--timeout', '60s'];
    expect((await api.kubectl(gone)).code).toBe(0);
  });
});
