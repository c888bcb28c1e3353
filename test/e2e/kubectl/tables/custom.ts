/** Custom resources: definition, schema, rules, columns, subresources, and their end with their namespace or owner. */
import type { Chapter } from '../invocation.ts';

const DEFINITION = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd], categories: [all]}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
      additionalPrinterColumns: [{name: Size, type: string, jsonPath: .spec.size}]
      schema:
        openAPIV3Schema:
          type: object
          required: [spec]
          properties:
            spec:
              type: object
              description: What the widget shall be.
              required: [size]
              properties:
                size: {type: string, enum: [small, large], description: How large it is.}
                replicas: {type: integer, default: 1, minimum: 0}
                limit: {type: integer}
              x-kubernetes-validations:
                - {rule: "!has(self.limit) || self.replicas <= self.limit", messageExpression: "'replicas above the limit of ' + string(self.limit)"}
                - {rule: "self.size == oldSelf.size", message: size is immutable, fieldPath: .size, reason: FieldValueForbidden}
            status: {type: object, properties: {replicas: {type: integer}}}
`;
const widget = (name: string, spec: string) =>
  `apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: ${name}}\nspec: ${spec}\n`;

export const CUSTOM: Chapter = {
  title: 'custom resources',
  rows: [
    {
      command: 'apply -f -',
      input: DEFINITION.replace('self.size == oldSelf.size', 'self.size =='),
      code: 1,
      stderr: /x-kubernetes-validations\[1\]\.rule: Invalid value: .*compilation failed/,
    },
    { command: 'apply -f -', input: DEFINITION, stdout: /widgets\.example\.com created/ },
    { command: 'wait --for=condition=Established crd/widgets.example.com --timeout 90s', stdout: /condition met/ },
    { command: 'get crd', stdout: /^widgets\.example\.com +\d{4}-/m },
    {
      command: 'api-resources --api-group example.com',
      stdout: /^widgets +wd +example\.com\/v1 +true +Widget$/m,
      eventually: true,
    },
    {
      command: 'explain widget.spec',
      stdout: /What the widget shall be\.[\s\S]*size\s+<string> -required-/,
      eventually: true,
    },
    { command: 'apply -f -', input: widget('one', '{size: small}'), stdout: /widget\.example\.com\/one created/ },
    { command: 'get wd', stdout: /^NAME +SIZE\none +small/ },
    { command: 'get wd one -o jsonpath={.spec.replicas}', stdout: /^1$/ },
    { command: 'get all', stdout: /widget\.example\.com\/one/ },
    { command: 'describe wd one', stdout: /Size: +small/ },
    { command: 'scale wd one --replicas 2', stdout: /scaled/ },
    {
      command: 'apply -f -',
      input: widget('two', '{size: medium}'),
      code: 1,
      stderr: /spec\.size: Unsupported value: "medium": supported values: "small", "large"/,
    },
    { command: 'apply -f -', input: widget('two', '{}'), code: 1, stderr: /spec\.size: Required value/ },
    {
      command: 'apply -f -',
      input: widget('two', '{size: small, colour: red}'),
      code: 1,
      stderr: /unknown field "spec\.colour"/,
    },
    {
      command: 'apply -f -',
      input: widget('two', '{size: small, replicas: 5, limit: 3}'),
      code: 1,
      stderr: /The Widget "two" is invalid: spec: Invalid value: "object": replicas above the limit of 3/,
    },
    {
      command: 'patch wd one --type merge -p {"spec":{"size":"large"}}',
      code: 1,
      stderr: /spec\.size: Forbidden: size is immutable/,
    },
    {
      command: 'patch wd one -p {"spec":{}}',
      code: 1,
      stderr: /strategic-merge-patch\+json is not supported by example\.com\/v1/,
    },
    { command: 'patch wd one --subresource status --type merge -p {"status":{"replicas":7}}', stdout: /patched/ },
    { command: 'get wd one -o jsonpath={.status.replicas}/{.spec.size}', stdout: /^7\/small$/ },
    {
      command: 'apply --server-side --force-conflicts -f -',
      input: widget('one', '{size: small, replicas: 4}'),
      stdout: /serverside-applied/,
    },
    { command: 'create ns ends', stdout: /created/ },
    { command: 'apply -n ends -f -', input: widget('inside', '{size: small}'), stdout: /created/ },
    {
      command: 'patch wd inside -n ends --type merge -p {"metadata":{"finalizers":["example.com/hold"]}}',
      stdout: /patched/,
    },
    { command: 'delete ns ends --wait=false', stdout: /deleted/ },
    { command: 'get wd inside -n ends -o jsonpath={.metadata.deletionTimestamp}', stdout: /^\d{4}-/, eventually: true },
    { command: 'get ns ends', stdout: /Terminating/ },
    { command: 'patch wd inside -n ends --type merge -p {"metadata":{"finalizers":null}}', stdout: /patched/ },
    { command: 'wait --for=delete ns/ends --timeout 90s', code: 0 },
    { command: 'create cm owned', stdout: /created/ },
    {
      command:
        'patch cm owned -p {"metadata":{"ownerReferences":[{"apiVersion":"example.com/v1","kind":"Widget","name":"gone","uid":"00000000-0000-0000-0000-000000000000"}]}}',
      stdout: /patched/,
    },
    { command: 'wait --for=delete cm/owned --timeout 90s', code: 0 },
    { command: 'delete crd widgets.example.com', stdout: /deleted/ },
    {
      command: 'get widgets',
      code: 1,
      stderr: /doesn't have a resource type "widgets"|could not find the requested resource/,
      eventually: true,
    },
  ],
};
