/**
 * Real kubectl against an apiserver alone: what needs no node and no controller. Each row is one invocation, in order, with
 * the exit code and the shape of what it prints; a row may build on the ones before it.
 */
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

const DEPLOYMENT = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx, ports: [{containerPort: 80}]}]}
`;
const CONFIG = `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: red, size: "1"}
`;
const POD = `
apiVersion: v1
kind: Pod
metadata: {name: lonely, labels: {run: lonely}}
spec: {containers: [{name: main, image: busybox}]}
`;
const TWO_CONTAINERS = `
apiVersion: v1
kind: Pod
metadata: {name: pair}
spec: {containers: [{name: a, image: busybox}, {name: b, image: busybox}]}
`;

const ROWS: readonly Row[] = [
  // What there is.
  { command: 'version', stdout: /Server Version: v1\.\d+/ },
  { command: 'cluster-info', stdout: /control plane.* is running at/ },
  { command: 'api-resources', stdout: /deployments +deploy +apps\/v1 +true +Deployment/ },
  { command: 'api-resources --namespaced=false -o name', stdout: /^nodes$/m },
  { command: 'api-versions', stdout: /^networking\.k8s\.io\/v1$/m },
  { command: 'get --raw /healthz', stdout: /^ok$/ },
  { command: 'get --raw /readyz?verbose', stdout: /\[\+\]store ok/ },
  { command: 'get --raw /openapi/v3', stdout: /apis\/apps\/v1/ },
  { command: 'get --raw /metrics', stdout: /^apiserver_request_total\{/m },
  { command: 'get --raw /nowhere', code: 1, stderr: /could not find the requested resource/ },
  { command: 'explain pod.spec.containers.ports', stdout: /containerPort\s+<integer> -required-/ },
  { command: 'explain deployment.spec.nothing', code: 1, stderr: /field "nothing" does not exist/ },
  { command: 'auth can-i create pods', stdout: /^yes/ },
  { command: 'auth can-i --list', stdout: /\*\.\*/ },
  { command: 'auth whoami', stdout: /kubernetes-admin/ },
  { command: 'get ns', stdout: /^kube-system +Active/m },
  { command: 'get ns default --show-labels', stdout: /kubernetes\.io\/metadata\.name=default/ },
  {
    command: 'get svc,endpoints,endpointslices',
    stdout: /service\/kubernetes +ClusterIP +10\.96\.0\.1 +<none> +443\/TCP/,
  },
  { command: 'get nodes', stderr: /No resources found/ },
  { command: 'get nonsense', code: 1, stderr: /the server doesn't have a resource type "nonsense"/ },
  { command: 'get pods missing', code: 1, stderr: /^Error from server \(NotFound\): pods "missing" not found/ },
  { command: 'top nodes', code: 1, stderr: /metrics not available yet/ },

  // Objects from manifests.
  { command: 'create sa default', stdout: /serviceaccount\/default created/ },
  { command: 'apply -f -', input: CONFIG, stdout: /configmap\/settings created/ },
  { command: 'apply -f -', input: CONFIG, stdout: /configmap\/settings unchanged/ },
  { command: 'apply -f -', input: CONFIG.replace('red', 'blue'), stdout: /configmap\/settings configured/ },
  { command: 'get cm settings -o jsonpath={.data.color}', stdout: /^blue$/ },
  { command: 'diff -f -', input: CONFIG, code: 1, stdout: /^-\s+color: blue\n\+\s+color: red/m },
  { command: 'diff -f -', input: CONFIG.replace('red', 'blue'), code: 0 },
  { command: 'create -f -', input: CONFIG, code: 1, stderr: /\(AlreadyExists\).*configmaps "settings" already exists/ },
  { command: 'replace -f -', input: CONFIG, stdout: /configmap\/settings replaced/ },
  {
    command: 'apply --dry-run=server -f -',
    input: CONFIG.replace('red', 'pink'),
    stdout: /configured \(server dry run\)/,
  },
  { command: 'get cm settings -o jsonpath={.data.color}', stdout: /^red$/ },
  { command: 'apply -f -', input: CONFIG.replace('\ndata:', '\ndat:'), code: 1, stderr: /unknown field "dat"/ },
  { command: 'apply --validate=warn -f -', input: CONFIG.replace('\ndata:', '\ndat:'), stderr: /unknown field "dat"/ },
  { command: 'apply -f -', input: '{a: [', code: 1, stderr: /error/ },
  {
    command: 'apply -f -',
    input: DEPLOYMENT.replace('Deployment', 'Deploymint'),
    code: 1,
    stderr: /no matches for kind "Deploymint"/,
  },

  // Deployments.
  { command: 'apply -f -', input: DEPLOYMENT, stdout: /deployment\.apps\/web created/ },
  { command: 'get deploy', stdout: /^web +0\/3 +0 +0 +/m },
  { command: 'get deploy -o wide', stdout: /CONTAINERS +IMAGES +SELECTOR\n.* web +nginx +app=web/ },
  { command: 'get deploy web -o name', stdout: /^deployment\.apps\/web$/m },
  { command: 'get deploy web -o yaml', stdout: /progressDeadlineSeconds: 600/ },
  { command: 'get deploy web -o json', stdout: /"kind": "Deployment"/ },
  { command: 'get deploy -o custom-columns=N:.metadata.name,R:.spec.replicas', stdout: /^web +3$/m },
  { command: 'get deploy -l app=web --no-headers', stdout: /^web/ },
  { command: 'get deploy -l app!=web', stderr: /No resources found/ },
  { command: 'get deploy -A', stdout: /^default +web/m },
  { command: 'get all', stdout: /deployment\.apps\/web/ },
  { command: 'get deploy --field-selector metadata.name=web', stdout: /^web/m },
  { command: 'get deploy --field-selector spec.replicas=3', code: 1, stderr: /not a known field selector/ },
  { command: 'describe deploy web', stdout: /Replicas: +3 desired/ },
  { command: 'scale deploy web --replicas 5', stdout: /scaled/ },
  { command: 'get deploy web -o jsonpath={.spec.replicas},{.metadata.generation}', stdout: /^5,2$/ },
  {
    command: 'scale deploy web --replicas 1 --current-replicas 4',
    code: 1,
    stderr: /Expected replicas to be 4, was 5/,
  },
  { command: 'get deploy web --subresource scale', stdout: /web/ },
  { command: 'label deploy web tier=front', stdout: /labeled/ },
  { command: 'label deploy web tier=back', code: 1, stderr: /already has a value \(front\)/ },
  { command: 'label deploy web tier-', stdout: /unlabeled/ },
  { command: 'annotate deploy web note=x', stdout: /annotated/ },
  { command: 'patch deploy web -p {"spec":{"replicas":2}}', stdout: /patched/ },
  { command: 'patch deploy web --type merge -p {"spec":{"replicas":2}}', stdout: /patched \(no change\)/ },
  {
    command: 'patch deploy web --type json -p [{"op":"replace","path":"/spec/replicas","value":4}]',
    stdout: /patched/,
  },
  {
    command: 'patch deploy web --type json -p [{"op":"test","path":"/spec/replicas","value":9}]',
    code: 1,
    stderr: /The request is invalid/,
  },
  { command: 'patch deploy web --subresource status --type merge -p {"status":{"replicas":4}}', stdout: /patched/ },
  { command: 'get deploy web -o jsonpath={.status.replicas}/{.spec.replicas}', stdout: /^4\/4$/ },
  { command: 'set image deploy/web web=nginx:1.27', stdout: /image updated/ },
  { command: 'set env deploy/web A=b', stdout: /env updated/ },
  { command: 'rollout pause deploy/web', stdout: /paused/ },
  { command: 'rollout status deploy/web --timeout 1s', code: 1, stderr: /timed out|paused/ },
  {
    command: 'patch deploy web -p {"spec":{"selector":{"matchLabels":{"app":"x"}}}}',
    code: 1,
    stderr: /field is immutable/,
  },
  { command: 'create deployment made --image nginx --replicas 2 --port 80', stdout: /deployment\.apps\/made created/ },
  { command: 'get deploy made -o jsonpath={.spec.template.spec.containers[0].ports[0].containerPort}', stdout: /^80$/ },
  { command: 'create deployment Bad --image nginx', code: 1, stderr: /metadata\.name: Invalid value: "Bad"/ },
  { command: 'autoscale deploy web --max 3', stdout: /autoscaled/ },
  { command: 'get hpa', stdout: /Deployment\/web/ },
  { command: 'delete deploy made', stdout: /deleted/ },
  { command: 'wait --for=delete deploy/made --timeout 60s', code: 0 },

  // Services.
  { command: 'expose deploy web --port 80', stdout: /service\/web exposed/ },
  { command: 'get svc web', stdout: /ClusterIP +10\.\d+\.\d+\.\d+ +<none> +80\/TCP/ },
  { command: 'describe svc web', stdout: /Selector: +app=web/ },
  { command: 'create service nodeport np --tcp 80 --node-port 30080', stdout: /created/ },
  {
    command: 'create service nodeport np2 --tcp 80 --node-port 30080',
    code: 1,
    stderr: /spec\.ports\[0\]\.nodePort: Invalid value: 30080: provided port is already allocated/,
  },
  {
    command: 'create service nodeport np2 --tcp 80 --node-port 80',
    code: 1,
    stderr: /not in the valid range\. The range of valid ports is 30000-32767/,
  },
  {
    command: 'create service clusterip ip --tcp 80 --clusterip 10.96.0.1',
    code: 1,
    stderr: /failed to allocate IP 10\.96\.0\.1: provided IP is already allocated/,
  },
  {
    command: 'create service clusterip ip --tcp 80 --clusterip 10.1.0.1',
    code: 1,
    stderr: /is not in the valid range\. The range of valid IPs is 10\.96\.0\.0\/12/,
  },
  { command: 'create service clusterip headless --tcp 80 --clusterip None', stdout: /created/ },
  { command: 'create service externalname ext --external-name example.com', stdout: /created/ },
  { command: 'get svc ext', stdout: /ExternalName +<none> +example\.com/ },
  { command: 'patch svc np -p {"spec":{"type":"ClusterIP"}}', stdout: /patched/ },
  { command: 'create service nodeport np2 --tcp 80 --node-port 30080', stdout: /created/ },
  { command: 'patch svc web -p {"spec":{"clusterIP":"10.96.9.9"}}', code: 1, stderr: /may not change once set/ },
  {
    command: 'patch svc web -p {"spec":{"ports":[{"port":70000}]}}',
    code: 1,
    stderr: /spec\.ports\[\d\]\.port: Invalid value: 70000: must be between 1 and 65535, inclusive/,
  },
  { command: 'get ipaddresses', stdout: /services\/default\/kubernetes/ },
  { command: 'delete svc np np2 headless ext', stdout: /"ext" deleted/ },

  // Server-side apply.
  {
    command: 'apply --server-side -f -',
    input: CONFIG.replace('settings', 'ssa'),
    stdout: /configmap\/ssa serverside-applied/,
  },
  {
    command: 'apply --server-side --field-manager other -f -',
    input: CONFIG.replace('settings', 'ssa').replace('red', 'green'),
    code: 1,
    stderr: /Apply failed with 1 conflict: conflict with "kubectl": \.data\.color/,
  },
  {
    command: 'apply --server-side --field-manager other --force-conflicts -f -',
    input: CONFIG.replace('settings', 'ssa').replace('red', 'green'),
    stdout: /serverside-applied/,
  },
  { command: 'get cm ssa -o jsonpath={.metadata.managedFields[*].manager}', stdout: /^kubectl other$|^other kubectl$/ },
  {
    command: 'apply --server-side --field-manager other -f -',
    input: CONFIG.replace('settings', 'ssa').replace('color: red, ', ''),
    stdout: /serverside-applied/,
  },
  { command: 'get cm ssa -o jsonpath={.data}', stdout: /^\{"size":"1"\}$/ },
  {
    command: 'apply --server-side --dry-run=server -f -',
    input: CONFIG.replace('settings', 'ssa2'),
    stdout: /serverside-applied \(server dry run\)/,
  },
  { command: 'get cm ssa2', code: 1, stderr: /not found/ },
  { command: 'apply --server-side -f -', input: DEPLOYMENT.replace('name: web,', 'name: ssa,'), stdout: /applied/ },
  { command: 'apply --server-side -f -', input: DEPLOYMENT.replace('name: web,', 'name: ssa,'), stdout: /applied/ },
  { command: 'get deploy ssa -o jsonpath={.metadata.generation}', stdout: /^1$/ },
  { command: 'delete deploy/ssa cm/ssa', stdout: /deleted/ },

  // Pods, as far as they come without a scheduler.
  { command: 'apply -f -', input: POD, stdout: /pod\/lonely created/ },
  { command: 'apply -f -', input: TWO_CONTAINERS, stdout: /pod\/pair created/ },
  { command: 'get pods lonely', stdout: /0\/1 +Pending/ },
  { command: 'get pods --field-selector status.phase=Pending -o name', stdout: /pod\/lonely/ },
  { command: 'get pods --field-selector spec.nodeName=worker-1', stderr: /No resources found/ },
  { command: 'get pods --sort-by .metadata.name -o name', stdout: /lonely[\s\S]*pair/ },
  {
    command: 'describe pod lonely',
    stdout: /Service Account: +default[\s\S]*node\.kubernetes\.io\/not-ready:NoExecute/,
  },
  { command: 'logs lonely', code: 1, stderr: /pod lonely does not have a host assigned/ },
  { command: 'exec lonely -- true', code: 1, stderr: /pod lonely does not have a host assigned/ },
  { command: 'set image pod/lonely main=busybox:2', stdout: /image updated/ },
  {
    command: 'patch pod lonely -p {"spec":{"dnsPolicy":"Default"}}',
    code: 1,
    stderr: /pod updates may not change fields other than/,
  },
  { command: 'run other --image nginx --dry-run=server -o name', stdout: /pod\/other/ },
  { command: 'run other --image nginx --serviceaccount nobody', code: 1 },
  {
    command: 'run other --image nginx --overrides {"spec":{"serviceAccountName":"nobody"}}',
    code: 1,
    stderr: /serviceaccount "nobody" not found/,
  },
  { command: 'wait --for=condition=Ready pod/lonely --timeout 1s', code: 1, stderr: /timed out/ },
  { command: 'wait --for=jsonpath={.status.phase}=Pending pod/lonely --timeout 60s', stdout: /condition met/ },
  { command: 'delete pod lonely', stdout: /deleted/ },
  { command: 'delete pods --all', stdout: /"pair" deleted/ },

  // Others.
  { command: 'create secret generic s --from-literal a=b', stdout: /created/ },
  { command: 'get secret s', stdout: /Opaque +1 +/ },
  { command: 'get secret s -o jsonpath={.data.a}', stdout: /^Yg==$/ },
  { command: 'create token default', stdout: /^[\w-]+\.[\w-]+\.[\w-]+$/m },
  { command: 'create job j --image busybox -- true', stdout: /created/ },
  { command: 'get job j -o jsonpath={.spec.selector.matchLabels}', stdout: /controller-uid/ },
  { command: 'create cronjob c --image busybox --schedule=*/1 -- true', code: 1, stderr: /Invalid value/ },
  { command: 'create ingress i --rule=a.example/*=web:80', stdout: /created/ },
  { command: 'get ingress i', stdout: /a\.example/ },
  { command: 'create quota q --hard pods=3', stdout: /created/ },
  { command: 'create role r --verb get --resource pods', stdout: /created/ },
  { command: 'create clusterrolebinding b --clusterrole view --user me', stdout: /created/ },
  { command: 'create priorityclass high --value 10', stdout: /created/ },
  { command: 'create pdb p --selector app=web --min-available 1', stdout: /created/ },
  { command: 'get pdb,role,quota,pc,clusterrolebinding', stdout: /priorityclass\.scheduling\.k8s\.io\/high +10/ },
  { command: 'events', stderr: /No events found/ },

  // Namespaces.
  { command: 'create ns room', stdout: /created/ },
  { command: 'create cm x -n room', stdout: /created/ },
  { command: 'create cm x -n nowhere', code: 1, stderr: /namespaces "nowhere" not found/ },
  { command: 'delete ns default', code: 1, stderr: /this namespace may not be deleted/ },
  { command: 'delete ns room --wait=false', stdout: /deleted/ },
  { command: 'get ns room', stdout: /Terminating/ },
  { command: 'create cm y -n room', code: 1, stderr: /because it is being terminated/ },
  {
    command: 'replace --raw /api/v1/namespaces/room/finalize -f -',
    input: '{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"room"},"spec":{}}',
    stdout: /Namespace/,
  },
  { command: 'get ns room', code: 1, stderr: /namespaces "room" not found/ },

  // Deleting.
  { command: 'delete cm settings --dry-run=server', stdout: /deleted \(server dry run\)/ },
  { command: 'delete cm settings', stdout: /deleted/ },
  { command: 'delete cm settings', code: 1, stderr: /configmaps "settings" not found/ },
  { command: 'delete cm settings --ignore-not-found', code: 0 },
  { command: 'delete deploy web --cascade=orphan --wait=false', stdout: /deleted/ },
  { command: 'get deploy web -o jsonpath={.metadata.finalizers}', stdout: /orphan/ },
  { command: 'patch deploy web --type merge -p {"metadata":{"finalizers":null}}', code: 0 },
  { command: 'get deploy web', code: 1, stderr: /not found/ },
];

/** Split at blanks; no argument above has one. */
function argumentsOf(command: string): string[] {
  return command.split(' ').filter((part) => part !== '');
}

describe.skipIf(server === undefined)('kubectl against the apiserver', () => {
  const api = server!;
  afterAll(() => api.stop());

  it.each(ROWS)('$command', async ({ command, input, code = 0, stdout, stderr }) => {
    const result = await api.kubectl(argumentsOf(command), input);
    expect(result.code, result.stderr + result.stdout).toBe(code);
    if (stdout !== undefined) expect(result.stdout).toMatch(stdout);
    if (stderr !== undefined) expect(result.stderr).toMatch(stderr);
  });

  describe('watching', () => {
    beforeAll(async () => {
      await api.kubectl(['create', 'cm', 'watched']);
    });

    it('goes on over a kill of the apiserver', async () => {
      const watch = api.spawnKubectl(['get', 'cm', 'watched', '-w', '-o', 'jsonpath={.data.n}{"\\n"}']);
      let seen = '';
      watch.stdout?.on('data', (data) => {
        seen += data;
      });
      await api.kubectl(['patch', 'cm', 'watched', '-p', '{"data":{"n":"one"}}']);
      await waitFor('the first change', () => seen.includes('one'));
      watch.kill();
      await once(watch, 'close');
      await api.kill();
      await api.startProcess();
      const after = await api.kubectl(['get', 'cm', 'watched', '-o', 'jsonpath={.data.n}']);
      expect(after.stdout).toBe('one');
    });

    it('resumes from a revision of before the restart, deletions included', async () => {
      const list = await api.kubectl(['get', '--raw', '/api/v1/namespaces/default/configmaps']);
      const { resourceVersion } = JSON.parse(list.stdout).metadata;
      await api.kubectl(['create', 'cm', 'late']);
      await api.kubectl(['delete', 'cm', 'watched']);
      await api.kill();
      await api.startProcess();
      const path = `/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1&resourceVersion=${resourceVersion}`;
      const events = (await api.kubectl(['get', '--raw', path])).stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(events.map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual([
        'ADDED late',
        'DELETED watched',
      ]);
    });

    it('streams lists and ends them by a bookmark', async () => {
      const path =
        '/api/v1/configmaps?watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
      const events = (await api.kubectl(['get', '--raw', path])).stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      const end = events.findIndex(
        ({ object }) => object.metadata.annotations?.['k8s.io/initial-events-end'] === 'true',
      );
      expect(events[end]).toMatchObject({ type: 'BOOKMARK', object: { kind: 'ConfigMap' } });
      expect(events.slice(0, end).every(({ type }) => type === 'ADDED')).toBe(true);
      expect(events.slice(0, end).map(({ object }) => object.metadata.name)).toContain('late');
    });
  });
});
