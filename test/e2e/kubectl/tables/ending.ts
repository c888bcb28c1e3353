/** Nodes taken out of service, objects and namespaces deleted. */
import type { Chapter } from '../invocation.ts';
import { CONFIG, DEPLOYMENT } from '../manifests.ts';

export const ENDING: Chapter = {
  title: 'nodes and deletion',
  rows: [
    { command: 'cordon worker-1', stdout: /node\/worker-1 cordoned/ },
    { command: 'get node worker-1', stdout: /Ready,SchedulingDisabled/ },
    { command: 'uncordon worker-1', stdout: /node\/worker-1 uncordoned/ },
    { command: 'taint node worker-1 a=b:NoSchedule', stdout: /tainted/ },
    { command: 'describe node worker-1', stdout: /Taints: +a=b:NoSchedule/ },
    { command: 'taint node worker-1 a-', stdout: /untainted/ },
    { command: 'taint node worker-1 a=b:Wrong', code: 1, stderr: /invalid taint effect: Wrong/ },
    { command: 'label node worker-1 node-role.kubernetes.io/edge=', stdout: /labeled/ },
    { command: 'get nodes', stdout: /worker-1 +Ready +edge/ },
    { command: 'delete pdb --all', stdout: /deleted/ },
    { command: 'drain worker-2', code: 1, stderr: /cannot delete DaemonSet-managed Pods/ },
    {
      command: 'drain worker-2 --ignore-daemonsets --delete-emptydir-data --force --timeout 60s',
      stdout: /node\/worker-2 (drained|evicted)/,
    },
    { command: 'uncordon worker-2', stdout: /uncordoned/ },
    { command: 'drain missing', code: 1, stderr: /nodes "missing" not found/ },

    { command: 'apply -f -', input: CONFIG, stdout: /configmap\/settings/ },
    { command: 'delete cm settings --dry-run=server', stdout: /deleted.*\(server dry run\)/ },
    { command: 'delete cm settings --wait=false -o name', stdout: /configmap\/settings/ },
    { command: 'delete cm settings', code: 1, stderr: /configmaps "settings" not found/ },
    { command: 'delete cm settings --ignore-not-found', code: 0 },
    { command: 'delete -f -', input: DEPLOYMENT, stdout: /deployment\.apps "web" deleted/ },
    { command: 'wait --for=delete pod -l app=web --timeout 60s', code: 0 },
    { command: 'apply -f -', input: DEPLOYMENT, stdout: /created/ },
    { command: 'get rs -l app=web', stdout: /web-/, eventually: true },
    { command: 'delete deploy web --cascade=orphan', stdout: /deleted/ },
    { command: 'get rs -l app=web', stdout: /web-/ },
    { command: 'delete rs -l app=web --cascade=foreground', stdout: /deleted/ },
    { command: 'delete nonsense x', code: 1, stderr: /the server doesn't have a resource type "nonsense"/ },
    {
      command: 'delete job,cj,ing,netpol,hpa,pvc,quota,limits,role,rolebinding,secret --all',
      stdout: /"once" deleted/,
    },
    { command: 'delete sc,runtimeclass,ingressclass,clusterrole,clusterrolebinding --all', stdout: /"fast" deleted/ },
    { command: 'create cm x -n room', stdout: /created/ },
    { command: 'create cm x -n nowhere', code: 1, stderr: /namespaces "nowhere" not found/ },
    { command: 'run late -n room --image busybox -- sleep 1000', stdout: /created/ },
    { command: 'delete ns room --wait=false', stdout: /deleted/ },
    { command: 'get ns room', stdout: /Terminating/ },
    { command: 'create cm y -n room', code: 1, stderr: /because it is being terminated/ },
    { command: 'wait --for=delete ns/room --timeout 60s', code: 0 },
    {
      command: 'delete ns default',
      code: 1,
      stderr: /\(Forbidden\): namespaces "default" is forbidden: this namespace may not be deleted/,
    },
  ],
};
