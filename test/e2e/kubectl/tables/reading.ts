/** `get` and `describe` in all their forms, over a Deployment with two pods. */
import type { Chapter } from '../invocation.ts';
import { DEPLOYMENT } from '../manifests.ts';

export const READING: Chapter = {
  title: 'reading',
  rows: [
    { command: 'apply -f -', input: DEPLOYMENT, stdout: /deployment\.apps\/web created/ },
    { command: 'rollout status deploy/web --timeout 90s', stdout: /successfully rolled out/ },
    { command: 'get deploy', stdout: /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +2\/2 +2 +2 +[\dms]+$/m },
    { command: 'get deploy -o wide', stdout: /CONTAINERS +IMAGES +SELECTOR\n.* web +nginx +app=web/ },
    {
      command: 'get deploy web -o yaml',
      stdout: /^apiVersion: apps\/v1\nkind: Deployment\n[\s\S]*progressDeadlineSeconds: 600/,
    },
    { command: 'get deploy web -o json', stdout: /"kind": "Deployment"/ },
    { command: 'get deploy web -o name', stdout: /^deployment\.apps\/web$/m },
    { command: 'get deploy web -o jsonpath={.spec.replicas}', stdout: /^2$/ },
    { command: 'get deploy web -o jsonpath-as-json={.spec.replicas}', stdout: /^\[\n +2\n\]/ },
    {
      command: "get pods -o go-template='{{range .items}}{{.metadata.name}};{{end}}'",
      stdout: /^web-[\w-]+;web-[\w-]+;$/,
    },
    {
      command: 'get pods -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName',
      stdout: /^NAME +NODE\nweb-\S+ +worker-\d/,
    },
    { command: 'get pods', stdout: /^NAME +READY +STATUS +RESTARTS +AGE\nweb-\S+ +1\/1 +Running +0 +[\dms]+$/m },
    {
      command: 'get pods -o wide',
      stdout: /IP +NODE +NOMINATED NODE +READINESS GATES\nweb-\S+ .* 10\.244\.\d+\.\d+ +worker-\d +<none> +<none>/,
    },
    { command: 'get pods -A', stdout: /^kube-system +coredns-\S+ +1\/1 +Running/m },
    { command: 'get pods -A --field-selector spec.nodeName=worker-1', stdout: /kube-proxy/ },
    { command: 'get pods --field-selector status.phase!=Running', stderr: /No resources found in default namespace\./ },
    {
      command: 'get pods --field-selector spec.hostname=x',
      code: 1,
      stderr: /field label not supported: spec\.hostname/,
    },
    { command: "get pods -l 'app in (web, api)' -o name", stdout: /^pod\/web-/ },
    { command: 'get pods -l app!=web', stderr: /No resources found/ },
    { command: "get pods -l 'a b'", code: 1, stderr: /unable to parse requirement|found 'b'/ },
    { command: 'get pods --show-labels', stdout: /app=web,pod-template-hash=/ },
    { command: 'get pods -L app', stdout: /APP\n.* web\n/ },
    { command: 'get pods --sort-by .metadata.name -o name', stdout: /^pod\/web-\S+\npod\/web-\S+$/m },
    { command: 'get pods --no-headers --show-kind', stdout: /^pod\/web-/ },
    { command: 'get pods --chunk-size 1', stdout: /web-[\s\S]*web-/ },
    { command: 'get pods,deploy,rs', stdout: /pod\/web-[\s\S]*deployment\.apps\/web[\s\S]*replicaset\.apps\/web-/ },
    {
      command: 'get all',
      stdout: /pod\/web-[\s\S]*service\/kubernetes[\s\S]*deployment\.apps\/web[\s\S]*replicaset\.apps\/web-/,
    },
    {
      command: 'get pods --output-watch-events -w',
      endless: { seen: [/^ADDED +web-/m, /^MODIFIED +web-.*/m], meanwhile: 'label pods -l app=web seen=yes' },
    },
    {
      command: 'get deploy -w -o jsonpath={.metadata.annotations.n}',
      endless: { seen: [/(?:)/, /two/], meanwhile: 'annotate deploy web n=two' },
    },
    { command: 'get pod missing', code: 1, stderr: /^Error from server \(NotFound\): pods "missing" not found/ },
    { command: 'get pod missing --ignore-not-found', code: 0 },
    { command: 'get nonsense', code: 1, stderr: /the server doesn't have a resource type "nonsense"/ },
    { command: 'get deploy web --subresource scale', stdout: /web/ },
    {
      command: 'get deploy web --subresource nonsense',
      code: 1,
      stderr: /could not find the requested resource|invalid subresource/,
    },
    { command: 'get --raw /api/v1/namespaces/default/pods?limit=1', stdout: /"continue":".+","remainingItemCount":1/ },
    {
      command: 'describe deploy web',
      stdout: /Replicas: +2 desired \| 2 updated \| 2 total \| 2 available[\s\S]*ScalingReplicaSet/,
      eventually: true,
    },
    { command: 'describe rs -l app=web', stdout: /Controlled By: +Deployment\/web/ },
    {
      command: 'describe pods -l app=web',
      stdout: /Controlled By: +ReplicaSet\/web-[\s\S]*QoS Class: +BestEffort[\s\S]*Started container/,
      eventually: true,
    },
    { command: 'describe pod missing', code: 1, stderr: /pods "missing" not found/ },
    { command: 'describe svc kubernetes', stdout: /Endpoints: +192\.168/ },
    { command: 'describe endpointslice kubernetes', stdout: /AddressType: +IPv4/ },
    { command: 'events', stdout: /ScalingReplicaSet +Deployment\/web/, eventually: true },
    { command: 'events --for deploy/web', stdout: /Scaled up replica set web-/, eventually: true },
    { command: 'events --types Warning', stderr: /No events found/ },
    { command: 'get events --sort-by .lastTimestamp', stdout: /Successfully assigned default\/web-/, eventually: true },
    { command: 'get events.events.k8s.io -o jsonpath={.items[*].reason}', stdout: /Scheduled/ },
    { command: 'get events --field-selector reason=Scheduled -o name', stdout: /^event\/web-/ },
    { command: 'describe event', stdout: /Reason: +Scheduled/ },
  ],
};
