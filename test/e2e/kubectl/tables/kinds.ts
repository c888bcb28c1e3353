/** Every `kubectl create` subcommand, and every kind listed and described. */
import type { Chapter } from '../invocation.ts';

export const KINDS: Chapter = {
  title: 'kinds',
  rows: [
    { command: 'create ns room', stdout: /namespace\/room created/ },
    { command: 'create cm made --from-literal a=b --from-file $KUSTOMIZE/made.yaml', stdout: /created/ },
    { command: 'describe cm made', stdout: /Data\n====\n/ },
    { command: 'create secret generic s --from-literal a=b', stdout: /created/ },
    { command: 'create secret docker-registry d --docker-username u --docker-password p', stdout: /created/ },
    { command: 'create secret tls t --cert $TLS/tls.crt --key $TLS/tls.key', stdout: /created/ },
    {
      command: 'get secret',
      stdout: /kubernetes\.io\/dockerconfigjson +1[\s\S]*Opaque +1[\s\S]*kubernetes\.io\/tls +2/,
    },
    { command: 'get secret s -o jsonpath={.data.a}', stdout: /^Yg==$/ },
    { command: 'describe secret s', stdout: /a: +1 bytes/ },
    { command: 'create sa robot', stdout: /created/ },
    { command: 'create quota q --hard pods=300,services=200', stdout: /created/ },
    { command: 'get quota', stdout: /NAME +REQUEST +LIMIT +AGE\nq / },
    { command: 'describe quota q', stdout: /Name: +q/ },
    {
      command: 'create -f -',
      input:
        '---\n{apiVersion: v1, kind: LimitRange, metadata: {name: l}, spec: {limits: [{type: Container, default: {cpu: 100m}}]}}',
      stdout: /created/,
    },
    { command: 'describe limits l', stdout: /Container +cpu/ },
    { command: 'create role r --verb get,list --resource pods,deployments.apps', stdout: /created/ },
    { command: 'create rolebinding rb --role r --serviceaccount default:robot', stdout: /created/ },
    { command: 'create clusterrole cr --verb get --resource nodes', stdout: /created/ },
    { command: 'create clusterrole agg --aggregation-rule a=b', stdout: /created/ },
    { command: 'create clusterrole urls --verb get --non-resource-url /logs/*', stdout: /created/ },
    { command: 'create clusterrolebinding crb --clusterrole cr --user me --group us', stdout: /created/ },
    { command: 'get role,rolebinding', stdout: /role\.rbac.*\/r +\d{4}-[\s\S]*rolebinding.*\/rb +Role\/r/ },
    { command: 'get clusterrolebinding crb -o wide', stdout: /ClusterRole\/cr .* me +us/ },
    { command: 'describe role r', stdout: /deployments\.apps +\[\] +\[\] +\[get list\]/ },
    { command: 'describe clusterrolebinding crb', stdout: /User +me/ },
    { command: 'set subject clusterrolebinding crb --user you', stdout: /subjects updated/ },
    {
      command: 'auth reconcile -f -',
      input:
        '---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r, namespace: default}, rules: [{verbs: [watch], apiGroups: [""], resources: [pods]}]}',
      stdout: /reconciled/,
    },
    { command: 'create priorityclass high --value 10 --description x', stdout: /created/ },
    {
      command: 'create priorityclass system-mine --value 10',
      code: 1,
      stderr: /metadata\.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only/,
    },
    {
      command: 'create priorityclass huge --value 1000000001',
      code: 1,
      stderr: /value: Forbidden: maximum allowed value of a user defined priority is 1000000000/,
    },
    { command: 'describe pc high', stdout: /Value: +10/ },
    { command: 'create pdb p --selector app=web --min-available 1', stdout: /created/ },
    { command: 'get pdb', stdout: /NAME +MIN AVAILABLE +MAX UNAVAILABLE +ALLOWED DISRUPTIONS +AGE\np +1 +N\/A/ },
    { command: 'describe pdb p', stdout: /Min available: +1/ },
    { command: 'create job once --image busybox -- true', stdout: /created/ },
    { command: 'wait --for=condition=Complete job/once --timeout 90s', stdout: /condition met/ },
    { command: 'get jobs', stdout: /NAME +STATUS +COMPLETIONS +DURATION +AGE\nonce +Complete +1\/1/ },
    { command: 'describe job once', stdout: /Pods Statuses: +0 Active.*1 Succeeded/ },
    { command: "create cronjob tick --image busybox --schedule '*/5 * * * *' -- true", stdout: /created/ },
    {
      command: "create cronjob tack --image busybox --schedule '*/5 * *' -- true",
      code: 1,
      stderr: /spec\.schedule: Invalid value: "\*\/5 \* \*": expected exactly 5 fields/,
    },
    { command: 'create job manual --from cronjob/tick', stdout: /created/ },
    {
      command: 'get cj',
      stdout: /NAME +SCHEDULE +TIMEZONE +SUSPEND +ACTIVE +LAST SCHEDULE +AGE\ntick +\*\/5 \* \* \* \* +<none> +False/,
    },
    { command: 'describe cj tick', stdout: /Concurrency Policy: +Allow/ },
    { command: 'create ingress i --rule=a.example/*=web:80,tls=t --class nginx', stdout: /created/ },
    { command: 'get ing', stdout: /i +nginx +a\.example +80, 443/ },
    { command: 'describe ing i', stdout: /Ingress Class: +nginx[\s\S]*a\.example/ },
    {
      command: 'create -f -',
      input:
        '---\n{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: nginx}, spec: {controller: k8s.io/ingress-nginx}}',
      stdout: /created/,
    },
    { command: 'get ingressclass', stdout: /nginx +k8s\.io\/ingress-nginx +<none>/ },
    {
      command: 'create -f -',
      input:
        '---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny}, spec: {podSelector: {}, policyTypes: [Ingress]}}',
      stdout: /created/,
    },
    { command: 'get netpol', stdout: /NAME +POD-SELECTOR +AGE\ndeny +<none>/ },
    { command: 'describe netpol deny', stdout: /Allowing ingress traffic:\n +<none>/ },
    {
      command: 'create -f -',
      input:
        '---\n{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast}, provisioner: x.example/y}',
      stdout: /created/,
    },
    { command: 'get sc', stdout: /fast +x\.example\/y +Delete +Immediate +false/ },
    {
      command: 'create -f -',
      input: '---\n{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: other}, handler: other}',
      stdout: /created/,
    },
    { command: 'get runtimeclass', stdout: /^other +other/m },
    {
      command: 'create -f -',
      input:
        '---\n{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}',
      stdout: /created/,
    },
    { command: 'get pvc', stdout: /^c +Pending/m },
    { command: 'describe pvc c', stdout: /Status: +Pending/ },
    { command: 'autoscale deploy web --min 1 --max 3 --cpu-percent 50', stdout: /autoscaled/ },
    {
      command: 'get hpa',
      stdout:
        /NAME +REFERENCE +TARGETS +MINPODS +MAXPODS +REPLICAS +AGE\nweb +Deployment\/web +cpu: (<unknown>|\d+%)\/50% +1 +3 +\d/,
    },
    { command: 'describe hpa web', stdout: /Max replicas: +3/ },
    {
      command: 'get horizontalpodautoscalers.v1.autoscaling web -o jsonpath={.spec.targetCPUUtilizationPercentage}',
      stdout: /^50$/,
    },
    {
      command: 'create -f -',
      input: '---\n{apiVersion: v1, kind: Namespace, metadata: {name: Bad_name}}',
      code: 1,
      stderr: /metadata\.name: Invalid value: "Bad_name": a lowercase RFC 1123 label/,
    },
    {
      command: 'create -f -',
      input:
        '---\n{apiVersion: authorization.k8s.io/v1, kind: SubjectAccessReview, spec: {user: me, resourceAttributes: {verb: get, resource: pods}}}',
      stdout: /subjectaccessreview\.authorization\.k8s\.io\/<unknown> created/,
    },
    {
      command: 'get controllerrevisions -n kube-system',
      stdout: /NAME +CONTROLLER +REVISION +AGE\nkube-proxy-\S+ +daemonset\.apps\/kube-proxy +1/,
    },
  ],
};
