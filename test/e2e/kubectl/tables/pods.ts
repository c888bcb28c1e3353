/** Into pods: run, exec, attach, logs, cp, port-forward, proxy, debug. */
import type { Chapter } from '../invocation.ts';
import { POD } from '../manifests.ts';

export const PODS: Chapter = {
  title: 'pods',
  rows: [
    { command: 'apply -f -', input: POD, stdout: /pod\/shell created/ },
    { command: 'wait --for=condition=Ready pod/shell --timeout 90s', stdout: /condition met/ },
    { command: 'exec shell -- hostname', stdout: /^shell$/m, stderr: /Defaulted container "main" out of: main, side/ },
    { command: 'exec shell -c side -- echo two words', stdout: /^two words$/m },
    { command: 'exec -i shell -c main -- cat', input: 'through', stdout: /^through$/ },
    { command: "exec shell -c main -- sh -c 'exit 3'", code: 3, stderr: /command terminated with exit code 3/ },
    {
      command: 'exec shell -c main -- nonsense',
      code: 1,
      stderr: /exec: "nonsense": executable file not found in \$PATH/,
    },
    {
      command: 'exec shell -c nope -- true',
      code: 1,
      stderr: /container nope (is not valid for|not found in) pod shell/,
    },
    { command: 'exec missing -- true', code: 1, stderr: /pods "missing" not found/ },
    { command: 'logs shell', stdout: /^begun\nbad\n$/, stderr: /Defaulted container "main"/ },
    { command: 'logs shell -c side', stdout: /^beside\n$/ },
    {
      // kubectl takes the containers in the order of a Go map, which is none.
      command: 'logs shell --all-containers --prefix',
      stdout: /^(?=[\s\S]*^\[pod\/shell\/main\] begun\n)(?=[\s\S]*^\[pod\/shell\/side\] beside\n)/m,
    },
    { command: 'logs shell -c main --tail 1', stdout: /^bad\n$/ },
    { command: 'logs shell -c main --since 1h --timestamps', stdout: /^\d{4}-\d\d-\d\dT[\d:.]+Z begun$/m },
    { command: 'logs shell -c main --since-time 2100-01-01T00:00:00Z', stdout: /^$/ },
    { command: 'logs shell -c main --limit-bytes 3', stdout: /^beg$/ },
    { command: 'logs -l run=shell -c side', stdout: /^beside$/m },
    { command: 'logs shell -c main -f', endless: { seen: [/begun/, /bad/] } },
    {
      command: 'logs shell -c main --previous',
      code: 1,
      stderr: /previous terminated container "main" in pod "shell" not found/,
    },
    { command: 'logs shell -c nope', code: 1, stderr: /container nope is not valid for pod shell/ },
    { command: 'logs deploy/web --tail 1', stdout: /./ },
    { command: 'logs missing', code: 1, stderr: /pods "missing" not found/ },
    { command: 'cp $KUSTOMIZE/made.yaml shell:/tmp/made.yaml -c main', code: 0 },
    { command: 'exec shell -c main -- cat /tmp/made.yaml', stdout: /name: made/ },
    { command: 'cp shell:/tmp/made.yaml $TLS/back.yaml -c main', code: 0 },
    // It ends with 0 when it has read the empty archive before it is told of tar's exit code.
    { command: 'cp shell:/tmp/missing $TLS/missing -c main', code: [0, 1], stdout: /No such file or directory/ },
    {
      command: 'port-forward deploy/web :80',
      endless: {
        seen: [/Forwarding from 127\.0\.0\.1:(\d+) -> 80/, /Handling connection/],
        fetch: { url: 'http://127.0.0.1:$1/', body: /nginx/ },
      },
    },
    {
      command: 'port-forward svc/front :80',
      endless: {
        seen: [/Forwarding from 127\.0\.0\.1:(\d+) -> 80/],
        fetch: { url: 'http://127.0.0.1:$1/', body: /nginx/ },
      },
    },
    { command: 'port-forward missing 80', code: 1, stderr: /pods "missing" not found/ },
    {
      command: 'proxy --port 0',
      endless: {
        seen: [/Starting to serve on 127\.0\.0\.1:(\d+)/],
        fetch: { url: 'http://127.0.0.1:$1/api/v1/namespaces/default/services/front:80/proxy/', body: /nginx/ },
      },
    },
    { command: 'get --raw /api/v1/namespaces/default/services/front/proxy/', stdout: /nginx/ },
    {
      command: "run echo --image busybox --restart Never -i --rm -- sh -c 'read x; echo got $x'",
      input: 'word\n',
      stdout: /got word[\s\S]*pod "echo" deleted/,
    },
    {
      command: 'run env --image busybox --restart Never --env A=b --labels x=y --port 80 --command -- env',
      stdout: /pod\/env created/,
    },
    { command: 'wait --for=jsonpath={.status.phase}=Succeeded pod/env --timeout 90s', stdout: /condition met/ },
    { command: 'logs env', stdout: /^A=b$/m },
    { command: 'get pod env', stdout: /0\/1 +Completed +0/ },
    { command: 'run dry --image nginx --dry-run=client -o yaml', stdout: /kind: Pod[\s\S]*image: nginx/ },
    { command: 'run dry --image nginx --dry-run=server -o jsonpath={.spec.restartPolicy}', stdout: /^Always$/ },
    {
      command: 'run reader --image busybox --restart Never -i -- cat',
      endless: { seen: [/If you don't see a command prompt/] },
    },
    { command: 'attach shell -c main', endless: { seen: [/If you don't see a command prompt/] } },
    { command: 'attach missing', code: 1, stderr: /pods "missing" not found/ },
    { command: 'debug shell --image busybox -c dbg --profile general -- sleep 1000', stdout: /^$/ },
    { command: 'exec shell -c dbg -- hostname', stdout: /^shell$/m, eventually: true },
    {
      command: 'debug shell --image busybox -i --target main --profile general -- ps',
      stdout: /1 root .* sleep 10000$/m,
    },
    { command: 'get pod shell -o jsonpath={.status.ephemeralContainerStatuses[0].state.running}', stdout: /startedAt/ },
    { command: 'describe pod shell', stdout: /Ephemeral Containers:\n +dbg:[\s\S]*State: +Running/ },
    {
      command: 'debug shell --image busybox -c dbg --profile general -- true',
      code: 1,
      stderr: /existing ephemeral containers "dbg" may not be changed/,
    },
    { command: 'debug shell --copy-to copy --image busybox --profile general -- sleep 1000', code: 0 },
    { command: 'debug node/worker-1 --image busybox --profile general -- true', stdout: /node-debugger-worker-1-/ },
    {
      command: 'patch pod shell -p {"spec":{"dnsPolicy":"Default"}}',
      code: 1,
      stderr: /pod updates may not change fields other than/,
    },
    { command: 'run broken --image no-such-image', stdout: /created/ },
    { command: 'get pod broken', stdout: /0\/1 +(ErrImagePull|ImagePullBackOff)/, eventually: true },
    { command: 'logs broken', code: 1, stderr: /container "broken" in pod "broken" is waiting to start/ },
    {
      command: 'delete pod broken --force --grace-period 0',
      stdout: /"broken" force deleted/,
      stderr: /Immediate deletion does not wait/,
    },
    { command: 'delete pod shell copy env reader --grace-period 1', stdout: /"shell" deleted/ },
    { command: 'delete pod -l app.kubernetes.io/managed-by=kubectl-debug', code: 0 },
  ],
};
