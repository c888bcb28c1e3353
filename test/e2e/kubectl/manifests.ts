/** What the tables apply. */

export const DEPLOYMENT = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx, ports: [{containerPort: 80}]}]}
`;

export const CONFIG = `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: red, size: "1"}
`;

export const POD = `
apiVersion: v1
kind: Pod
metadata: {name: shell, labels: {run: shell}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - {name: main, image: busybox, command: [sh, -c, "echo begun; echo bad >&2; sleep 10000"]}
    - {name: side, image: busybox, command: [sh, -c, "echo beside; sleep 10000"]}
`;

export const STATEFUL_SET = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 1
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: db, image: busybox, command: [sleep, "10000"]}]}
`;

export const DAEMON_SET = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: agent, image: busybox, command: [sleep, "10000"]}]}
`;

export const REPLICATION_CONTROLLER = `
apiVersion: v1
kind: ReplicationController
metadata: {name: old}
spec:
  replicas: 1
  template:
    metadata: {labels: {app: old}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: old, image: busybox, command: [sleep, "10000"]}]}
`;
