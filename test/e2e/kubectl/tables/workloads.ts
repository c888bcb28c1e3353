/** Workloads through their life: scaling, rollouts, set, expose. */
import type { Chapter } from '../invocation.ts';
import { DAEMON_SET, DEPLOYMENT, REPLICATION_CONTROLLER, STATEFUL_SET } from '../manifests.ts';

const DONE = /successfully rolled out/;

export const WORKLOADS: Chapter = {
  title: 'workloads',
  rows: [
    { command: 'apply -f -', input: DEPLOYMENT, stdout: /deployment\.apps\/web/ },
    { command: 'scale deploy web --replicas 3', stdout: /scaled/ },
    {
      command: 'scale deploy web --replicas 1 --current-replicas 2',
      code: 1,
      stderr: /Expected replicas to be 2, was 3/,
    },
    { command: 'rollout status deploy/web --timeout 90s', stdout: DONE },
    { command: 'scale deploy web --replicas 1', stdout: /scaled/ },
    { command: 'wait --for=jsonpath={.status.replicas}=1 deploy/web --timeout 90s', stdout: /condition met/ },
    { command: 'wait --for=condition=Available deploy/web --timeout 90s', stdout: /condition met/ },
    {
      command: 'wait --for=condition=Nonsense deploy/web --timeout 1s',
      code: 1,
      stderr: /timed out waiting for the condition/,
    },
    { command: 'set image deploy/web web=nginx:1.27', stdout: /image updated/ },
    { command: 'rollout status deploy/web --timeout 90s', stdout: DONE },
    { command: 'set image deploy/web nope=nginx:1.27', code: 1, stderr: /unable to find container named "nope"/ },
    { command: 'set env deploy/web A=b', stdout: /env updated/ },
    { command: 'set env deploy/web --list', stdout: /A=b/ },
    { command: 'set resources deploy web --limits cpu=200m,memory=64Mi', stdout: /resource requirements updated/ },
    {
      command: 'set resources deploy web --limits cpu=1x',
      code: 1,
      stderr: /quantities must match the regular expression/,
    },
    { command: 'set serviceaccount deploy web default', stdout: /serviceaccount updated/ },
    { command: 'annotate deploy web kubernetes.io/change-cause=why', stdout: /annotated/ },
    { command: 'rollout history deploy/web', stdout: /REVISION +CHANGE-CAUSE\n[\s\S]*2 +/, eventually: true },
    { command: 'rollout history deploy/web --revision 1', stdout: /Image:\tnginx\n/ },
    { command: 'rollout history deploy/web --revision 99', code: 1, stderr: /unable to find the specified revision/ },
    { command: 'rollout undo deploy/web --to-revision 1', stdout: /rolled back/ },
    { command: 'rollout status deploy/web --timeout 90s', stdout: DONE },
    { command: 'get deploy web -o jsonpath={.spec.template.spec.containers[0].image}', stdout: /^nginx$/ },
    { command: 'rollout pause deploy/web', stdout: /paused/ },
    { command: 'rollout pause deploy/web', code: 1, stderr: /is already paused/ },
    { command: 'rollout restart deploy/web', code: 1, stderr: /can't restart paused deployment/ },
    { command: 'rollout resume deploy/web', stdout: /resumed/ },
    { command: 'rollout restart deploy/web', stdout: /restarted/ },
    { command: 'rollout status deploy/web --timeout 90s', stdout: DONE },

    { command: 'expose deploy web --port 80 --name front', stdout: /service\/front exposed/ },
    { command: 'get svc front -o wide', stdout: /ClusterIP +10\.\d+\.\d+\.\d+ +<none> +80\/TCP +[\dms]+ +app=web/ },
    { command: 'describe svc front', stdout: /Session Affinity: +None[\s\S]*Internal Traffic Policy: +Cluster/ },
    { command: 'get endpoints front', stdout: /10\.244\.\d+\.\d+:80/, eventually: true },
    {
      command: 'get endpointslices -l kubernetes.io/service-name=front',
      stdout: /front-\w+ +IPv4 +80 +10\.244/,
      eventually: true,
    },
    { command: 'set selector svc/front app=none', stdout: /selector updated/ },
    { command: 'set selector svc/front app=web', stdout: /selector updated/ },
    { command: 'create service nodeport np --tcp 80 --node-port 30080', stdout: /created/ },
    {
      command: 'create service nodeport np2 --tcp 80 --node-port 30080',
      code: 1,
      stderr: /spec\.ports\[0\]\.nodePort: Invalid value: 30080: provided port is already allocated/,
    },
    {
      command: 'create service nodeport np2 --tcp 80 --node-port 80',
      code: 1,
      stderr: /provided port is not in the valid range\. The range of valid ports is 30000-32767/,
    },
    {
      command: 'create service clusterip ip --tcp 80 --clusterip 10.96.0.1',
      code: 1,
      stderr: /failed to allocate IP 10\.96\.0\.1: provided IP is already allocated/,
    },
    { command: 'create service clusterip headless --tcp 80 --clusterip None', stdout: /created/ },
    { command: 'create service externalname ext --external-name example.com', stdout: /created/ },
    { command: 'create service loadbalancer lb --tcp 80:8080', stdout: /created/ },
    {
      command: 'get svc',
      stdout:
        /ext +ExternalName +<none> +example\.com[\s\S]*lb +LoadBalancer +10\S+ +\S+ +80:3\d+\/TCP[\s\S]*np +NodePort +10\S+ +<none> +80:30080\/TCP/,
    },
    {
      command: 'patch svc front -p {"spec":{"clusterIP":"10.96.9.9"}}',
      code: 1,
      stderr: /spec\.clusterIPs\[0\]: Invalid value: .*: may not change once set/,
    },
    {
      command: 'patch svc front --type json -p [{"op":"replace","path":"/spec/ports/0/port","value":70000}]',
      code: 1,
      stderr: /spec\.ports\[0\]\.port: Invalid value: 70000: must be between 1 and 65535, inclusive/,
    },
    {
      command: 'patch svc front -p {"spec":{"type":"Bogus"}}',
      code: 1,
      stderr:
        /spec\.type: Unsupported value: "Bogus": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"/,
    },
    { command: 'delete svc np headless ext lb', stdout: /"lb" deleted/ },

    { command: 'apply -f -', input: STATEFUL_SET, stdout: /statefulset\.apps\/db created/ },
    { command: 'rollout status sts/db --timeout 90s', stdout: /roll out complete: 1 new pods have been updated/ },
    { command: 'get sts', stdout: /NAME +READY +AGE\ndb +1\/1/ },
    { command: 'set env sts/db A=b', stdout: /env updated/ },
    { command: 'rollout status sts/db --timeout 90s', stdout: /roll out complete: 1 new pods have been updated/ },
    { command: 'rollout history sts/db', stdout: /1 +<none>\n2 +<none>/ },
    { command: 'rollout undo sts/db', stdout: /rolled back/ },
    { command: 'scale sts db --replicas 0', stdout: /scaled/ },
    {
      command: 'patch sts db -p {"spec":{"serviceName":"x"}}',
      code: 1,
      stderr: /updates to statefulset spec for fields other than/,
    },
    { command: 'describe sts db', stdout: /Update Strategy: +RollingUpdate/ },

    { command: 'apply -f -', input: DAEMON_SET, stdout: /daemonset\.apps\/agent created/ },
    { command: 'rollout status ds/agent --timeout 90s', stdout: DONE },
    {
      command: 'get ds',
      stdout: /NAME +DESIRED +CURRENT +READY +UP-TO-DATE +AVAILABLE +NODE SELECTOR +AGE\nagent +2 +2 +2 +2 +2 +<none>/,
    },
    { command: 'set env ds/agent A=b', stdout: /env updated/ },
    { command: 'rollout status ds/agent --timeout 90s', stdout: DONE },
    { command: 'rollout history ds/agent', stdout: /1 +<none>\n2 +<none>/ },
    { command: 'rollout undo ds/agent', stdout: /rolled back/ },
    { command: 'describe ds agent', stdout: /Desired Number of Nodes Scheduled: 2/ },
    { command: 'delete ds agent', stdout: /deleted/ },

    { command: 'apply -f -', input: REPLICATION_CONTROLLER, stdout: /replicationcontroller\/old created/ },
    { command: 'wait --for=jsonpath={.status.readyReplicas}=1 rc/old --timeout 90s', stdout: /condition met/ },
    { command: 'get rc', stdout: /NAME +DESIRED +CURRENT +READY +AGE\nold +1 +1 +1/ },
    { command: 'scale rc old --replicas 2', stdout: /scaled/ },
    { command: 'describe rc old', stdout: /Replicas: +\d current \/ 2 desired/ },
    { command: 'delete rc old', stdout: /deleted/ },
    { command: 'wait --for=delete pod -l app=old --timeout 90s', code: 0 },
  ],
};
