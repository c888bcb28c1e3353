/** Manifests and changes: apply in both forms, create, replace, patch, edit, diff, label, annotate, dry runs, validation. */
import type { Chapter } from '../invocation.ts';
import { CONFIG, DEPLOYMENT } from '../manifests.ts';

const APPLIED = CONFIG.replace('settings', 'ssa');
/** Replaces a word of the file it is given, as a user in an editor would. */
const editor = (from: string, to: string) => ({ EDITOR: `sed -i s/${from}/${to}/` });

export const WRITING: Chapter = {
  title: 'writing',
  rows: [
    { command: 'apply -f -', input: CONFIG, stdout: /configmap\/settings created/ },
    { command: 'apply -f -', input: CONFIG, stdout: /configmap\/settings unchanged/ },
    { command: 'apply -f -', input: CONFIG.replace('red', 'blue'), stdout: /configmap\/settings configured/ },
    { command: 'get cm settings -o jsonpath={.data.color}', stdout: /^blue$/ },
    { command: 'apply view-last-applied cm settings', stdout: /color: blue/ },
    { command: 'diff -f -', input: CONFIG, code: 1, stdout: /^-\s+color: blue\n\+\s+color: red/m },
    { command: 'diff -f -', input: CONFIG.replace('red', 'blue'), code: 0 },
    {
      command: 'diff --server-side -f -',
      input: CONFIG.replace('settings', 'fresh'),
      code: 1,
      stdout: /^\+ {2}name: fresh$/m,
    },
    {
      command: 'create -f -',
      input: CONFIG,
      code: 1,
      stderr: /\(AlreadyExists\).*configmaps "settings" already exists/,
    },
    { command: 'replace -f -', input: CONFIG, stdout: /configmap\/settings replaced/ },
    {
      command: 'replace -f -',
      input: CONFIG.replace('settings', 'absent'),
      code: 1,
      stderr: /configmaps "absent" not found/,
    },
    { command: 'replace --force -f -', input: CONFIG, stdout: /"settings" deleted[\s\S]*configmap\/settings replaced/ },
    {
      command: 'apply --dry-run=server -f -',
      input: CONFIG.replace('red', 'pink'),
      stdout: /configured \(server dry run\)/,
    },
    { command: 'apply --dry-run=client -f -', input: CONFIG.replace('red', 'pink'), stdout: /configured \(dry run\)/ },
    { command: 'get cm settings -o jsonpath={.data.color}', stdout: /^red$/ },
    {
      command: 'apply -f -',
      input: CONFIG.replace('\ndata:', '\ndat:'),
      code: 1,
      stderr: /strict decoding error: unknown field "dat"/,
    },
    {
      command: 'apply --validate=warn -f -',
      input: CONFIG.replace('\ndata:', '\ndat:'),
      stderr: /Warning: unknown field "dat"/,
    },
    { command: 'apply --validate=ignore -f -', input: CONFIG.replace('\ndata:', '\ndat:'), stdout: /settings/ },
    { command: 'apply -f -', input: '{a: [', code: 1, stderr: /error/ },
    {
      command: 'apply -f -',
      input: '{"apiVersion":"v1","kind":"Pods","metadata":{"name":"x"}}',
      code: 1,
      stderr: /no matches for kind "Pods" in version "v1"/,
    },
    { command: 'apply -f nowhere.yaml', code: 1, stderr: /the path "nowhere.yaml" does not exist/ },

    { command: 'apply --server-side -f -', input: APPLIED, stdout: /configmap\/ssa serverside-applied/ },
    { command: 'apply --server-side -f -', input: APPLIED, stdout: /configmap\/ssa serverside-applied/ },
    {
      command: 'apply --server-side --field-manager other -f -',
      input: APPLIED.replace('red', 'green'),
      code: 1,
      stderr: /Apply failed with 1 conflict: conflict with "kubectl": \.data\.color/,
    },
    {
      command: 'apply --server-side --field-manager other --force-conflicts -f -',
      input: APPLIED.replace('red', 'green'),
      stdout: /serverside-applied/,
    },
    { command: 'get cm ssa --show-managed-fields -o yaml', stdout: /manager: other\n +operation: Apply/ },
    { command: 'get cm ssa -o jsonpath={.metadata.managedFields[*].operation}', stdout: /^Apply( Apply)?$/ },
    {
      command: 'apply --server-side --field-manager other -f -',
      input: APPLIED.replace('color: red, ', ''),
      stdout: /applied/,
    },
    { command: 'get cm ssa -o jsonpath={.data}', stdout: /^\{"size":"1"\}$/ },
    {
      command: 'apply --server-side --dry-run=server -f -',
      input: CONFIG.replace('settings', 'dry'),
      stdout: /server dry run/,
    },
    { command: 'get cm dry', code: 1, stderr: /not found/ },
    {
      command: 'apply --server-side -f -',
      input: '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"},"spec":{"containers":[{"image":"x"}]}}',
      code: 1,
      stderr: /element 0: associative list with keys has an element that omits key field "name"/,
    },

    { command: 'patch cm settings -p {"data":{"color":"gold"}}', stdout: /configmap\/settings patched$/m },
    { command: 'patch cm settings -p {"data":{"color":"gold"}}', stdout: /patched \(no change\)/ },
    { command: 'patch cm settings --type merge -p {"data":{"size":null}}', stdout: /patched/ },
    {
      command: 'patch cm settings --type json -p [{"op":"add","path":"/data/shape","value":"round"}]',
      stdout: /patched/,
    },
    { command: 'get cm settings -o jsonpath={.data}', stdout: /^\{"color":"gold","shape":"round"\}$/ },
    {
      command: 'patch cm settings --type json -p [{"op":"test","path":"/data/color","value":"red"}]',
      code: 1,
      stderr: /^The request is invalid: the server rejected our request due to an error in our request$/m,
    },
    {
      command: 'patch cm settings --type json -p [{"op":"remove","path":"/data/none"}]',
      code: 1,
      stderr: /^The request is invalid: the server rejected our request/m,
    },
    {
      command: 'patch cm settings --type merge -p [1]',
      code: 1,
      stderr: /\(BadRequest\): error decoding patch: json: cannot unmarshal array into Go value of type map/,
    },
    {
      command: 'patch cm settings -p {"data":{"color":1}}',
      code: 1,
      stderr: /\(BadRequest\).*cannot unmarshal number into Go struct field/,
    },
    { command: 'patch cm absent -p {"data":{}}', code: 1, stderr: /configmaps "absent" not found/ },
    {
      command:
        'patch deploy web -p {"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"A","value":"1"}]}]}}}}',
      stdout: /patched/,
    },
    { command: 'get deploy web -o jsonpath={.spec.template.spec.containers[*].image}', stdout: /^nginx$/ },
    {
      command: 'patch deploy web --subresource scale --type merge -p {"spec":{"replicas":1}}',
      stdout: /scale\.autoscaling\/web patched/,
    },
    {
      command: 'patch deploy web --subresource status --type merge -p {"status":{"conditions":null}}',
      stdout: /patched/,
    },
    {
      command: 'patch deploy web -p {"spec":{"selector":{"matchLabels":{"app":"x"}}}}',
      code: 1,
      stderr: /spec\.selector: Invalid value: .*: field is immutable/,
    },

    { command: 'edit cm settings', env: editor('gold', 'grey'), stdout: /configmap\/settings edited/ },
    { command: 'edit cm settings', env: editor('none', 'nothing'), stdout: /Edit cancelled, no changes made|^$/ },
    { command: 'get cm settings -o jsonpath={.data.color}', stdout: /^grey$/ },
    { command: 'edit cm settings --subresource status', env: editor('a', 'a'), code: 1 },

    { command: 'label cm settings tier=front', stdout: /labeled/ },
    { command: 'label cm settings tier=back', code: 1, stderr: /already has a value \(front\)/ },
    { command: 'label cm settings tier=back --overwrite', stdout: /labeled/ },
    { command: 'label cm settings --list', stdout: /tier=back/ },
    { command: 'label cm settings tier-', stdout: /unlabeled/ },
    {
      command: "label cm settings 'a b=c'",
      code: 1,
      stderr: /metadata\.labels: Invalid value: "a b"|invalid label key/,
    },
    { command: 'annotate cm settings note=x', stdout: /annotated/ },
    { command: 'annotate cm settings note-', stdout: /annotated/ },

    { command: 'apply -k $KUSTOMIZE', stdout: /configmap\/dev-made created/ },
    { command: 'get -k $KUSTOMIZE', stdout: /dev-made/ },
    { command: 'delete -k $KUSTOMIZE', stdout: /"dev-made" deleted/ },
    { command: 'kustomize $KUSTOMIZE', stdout: /name: dev-made/ },

    {
      command: 'create deployment Bad --image nginx',
      code: 1,
      stderr: /metadata\.name: Invalid value: "Bad": a lowercase RFC 1123 subdomain/,
    },
    {
      command: 'create -f -',
      input: DEPLOYMENT.replace('replicas: 2', 'replicas: -1').replace('name: web,', 'name: other,'),
      code: 1,
      stderr: /spec\.replicas: Invalid value: -1: must be greater than or equal to 0/,
    },
    {
      command: 'create -f -',
      input: DEPLOYMENT.replace('name: web,', 'name: other,').replace('  selector: {matchLabels: {app: web}}\n', ''),
      code: 1,
      stderr:
        /\* spec\.selector: Required value\n\* spec\.template\.metadata\.labels: Invalid value: .*: `selector` does not match template `labels`/,
    },
    {
      command: 'create -f -',
      input: DEPLOYMENT.replace('name: web,', 'name: other,').replace('containerPort: 80', 'containerPort: 0'),
      code: 1,
      stderr:
        /spec\.template\.spec\.containers\[0\]\.ports\[0\]\.containerPort: (Required value|Invalid value: 0: must be between 1 and 65535, inclusive)/,
    },
    { command: 'set image deploy/web web=', code: 1, stderr: /Required value|invalid|error/ },
  ],
};
