/** What the oldest and the newest kubectl do alike; `from` and `until` are minor versions. */
import type { Invocation } from '../invocation.ts';
import { CONFIG, DEPLOYMENT, POD } from '../manifests.ts';

export interface VersionedInvocation extends Invocation {
  readonly from?: number;
  readonly until?: number;
}

export const VERSIONS: readonly VersionedInvocation[] = [
  { command: 'version', stdout: /Server Version/ },
  { command: 'api-resources', stdout: /^deployments +deploy/m },
  { command: 'get nodes', stdout: /^worker-1 +Ready/m },
  { command: 'explain pod.spec.containers', stdout: /List of containers belonging to the pod[\s\S]*image\s+<string>/ },
  { command: 'explain deploy.spec --recursive', stdout: /rollingUpdate[\s\S]*maxSurge/ },
  { command: 'apply -f -', input: CONFIG, stdout: /settings created/ },
  { command: 'apply -f -', input: CONFIG.replace('red', 'blue'), stdout: /settings configured/ },
  { command: 'apply -f -', input: CONFIG.replace('\ndata:', '\ndat:'), code: 1, stderr: /unknown field "dat"/ },
  { command: 'apply --dry-run=server -f -', input: CONFIG, stdout: /\(server dry run\)/ },
  { command: 'apply --server-side --force-conflicts -f -', input: CONFIG, stdout: /serverside-applied/ },
  { command: 'diff -f -', input: CONFIG.replace('red', 'green'), code: 1, stdout: /^\+ +color: green/m },
  { command: 'patch cm settings -p {"data":{"color":"gold"}}', stdout: /patched/ },
  { command: 'get cm settings -o jsonpath={.data.color}', stdout: /^gold$/ },
  { command: 'label cm settings a=b', stdout: /labeled/ },
  { command: 'apply -f -', input: DEPLOYMENT, stdout: /web created/ },
  { command: 'rollout status deploy/web --timeout 90s', stdout: /successfully rolled out/ },
  { command: 'set image deploy/web web=nginx:1.27', stdout: /image updated/ },
  { command: 'rollout status deploy/web --timeout 90s', stdout: /successfully rolled out/ },
  { command: 'rollout history deploy/web', stdout: /2 +<none>/ },
  { command: 'rollout undo deploy/web', stdout: /rolled back/ },
  { command: 'scale deploy web --replicas 1', stdout: /scaled/ },
  { command: 'describe deploy web', stdout: /StrategyType: +RollingUpdate/ },
  { command: 'expose deploy web --port 80', stdout: /exposed/ },
  { command: 'autoscale deploy web --max 3', stdout: /autoscaled/ },
  { command: 'get deploy,svc,hpa', stdout: /deployment\.apps\/web[\s\S]*service\/web[\s\S]*autoscaler.*\/web/ },
  { command: 'create ingress i --rule=a.example/*=web:80', stdout: /created/ },
  { command: 'create job once --image busybox -- true', stdout: /created/ },
  // Older ones ask for policy/v1beta1 and batch/v1beta1, which no server of this version has.
  { command: "create cronjob tick --image busybox --schedule '*/5 * * * *' -- true", from: 21, stdout: /created/ },
  { command: 'create pdb p --selector app=web --min-available 1', from: 21, stdout: /created/ },
  { command: 'apply -f -', input: POD, stdout: /shell created/ },
  { command: 'wait --for=condition=Ready pod/shell --timeout=120s', stdout: /condition met/ },
  { command: 'logs shell -c main', stdout: /^begun$/m },
  { command: 'exec shell -c main -- hostname', stdout: /^shell$/m },
  { command: 'exec -i shell -c main -- cat', input: 'through', stdout: /^through$/ },
  { command: "exec shell -c main -- sh -c 'exit 3'", code: 3, stderr: /exit code 3/ },
  { command: 'cp $KUSTOMIZE/made.yaml shell:/tmp/made.yaml -c main', code: 0 },
  {
    command: 'port-forward svc/web :80',
    endless: {
      seen: [/Forwarding from 127\.0\.0\.1:(\d+) -> 80/],
      fetch: { url: 'http://127.0.0.1:$1/', body: /nginx/ },
    },
  },
  {
    command: "run echo --image busybox --restart=Never -i --rm -- sh -c 'read x; echo got $x'",
    input: 'word\n',
    stdout: /got word/,
  },
  { command: 'get events', stdout: /Scheduled/, eventually: true },
  { command: 'cordon worker-1', stdout: /cordoned/ },
  { command: 'uncordon worker-1', stdout: /uncordoned/ },
  { command: 'auth can-i create pods', stdout: /^yes/ },
  { command: 'top nodes', stdout: /NAME +CPU\(cores\).*MEMORY\(bytes\)/, eventually: true },
  { command: 'delete pod shell --now', stdout: /deleted/ },
  { command: 'delete deploy,svc,hpa,ing,job,cj,pdb,cm --all', stdout: /"web" deleted/ },
];
