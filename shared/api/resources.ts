/** The served resources, by the name the code uses. Everything else known of them (verbs, short names) is in `registry.ts`. */
import type { ResourceRef } from './resource.ts';

function namespaced(group: string, version: string, resource: string, kind: string): ResourceRef {
  return { group, version, resource, kind, namespaced: true };
}

function clusterScoped(group: string, version: string, resource: string, kind: string): ResourceRef {
  return { group, version, resource, kind, namespaced: false };
}

export const BINDINGS = namespaced('', 'v1', 'bindings', 'Binding');
export const CONFIGMAPS = namespaced('', 'v1', 'configmaps', 'ConfigMap');
export const ENDPOINTS = namespaced('', 'v1', 'endpoints', 'Endpoints');
export const EVENTS = namespaced('', 'v1', 'events', 'Event');
export const LIMITRANGES = namespaced('', 'v1', 'limitranges', 'LimitRange');
export const NAMESPACES = clusterScoped('', 'v1', 'namespaces', 'Namespace');
export const NODES = clusterScoped('', 'v1', 'nodes', 'Node');
export const PERSISTENTVOLUMECLAIMS = namespaced('', 'v1', 'persistentvolumeclaims', 'PersistentVolumeClaim');
export const PERSISTENTVOLUMES = clusterScoped('', 'v1', 'persistentvolumes', 'PersistentVolume');
export const PODS = namespaced('', 'v1', 'pods', 'Pod');
export const PODTEMPLATES = namespaced('', 'v1', 'podtemplates', 'PodTemplate');
export const REPLICATIONCONTROLLERS = namespaced('', 'v1', 'replicationcontrollers', 'ReplicationController');
export const RESOURCEQUOTAS = namespaced('', 'v1', 'resourcequotas', 'ResourceQuota');
export const SECRETS = namespaced('', 'v1', 'secrets', 'Secret');
export const SERVICEACCOUNTS = namespaced('', 'v1', 'serviceaccounts', 'ServiceAccount');
export const SERVICES = namespaced('', 'v1', 'services', 'Service');

export const NODEMETRICS = clusterScoped('metrics.k8s.io', 'v1beta1', 'nodes', 'NodeMetrics');
export const PODMETRICS = namespaced('metrics.k8s.io', 'v1beta1', 'pods', 'PodMetrics');

export const CONTROLLERREVISIONS = namespaced('apps', 'v1', 'controllerrevisions', 'ControllerRevision');
export const DAEMONSETS = namespaced('apps', 'v1', 'daemonsets', 'DaemonSet');
export const DEPLOYMENTS = namespaced('apps', 'v1', 'deployments', 'Deployment');
export const REPLICASETS = namespaced('apps', 'v1', 'replicasets', 'ReplicaSet');
export const STATEFULSETS = namespaced('apps', 'v1', 'statefulsets', 'StatefulSet');

export const CRONJOBS = namespaced('batch', 'v1', 'cronjobs', 'CronJob');
export const JOBS = namespaced('batch', 'v1', 'jobs', 'Job');

export const HORIZONTALPODAUTOSCALERS = namespaced(
  'autoscaling',
  'v2',
  'horizontalpodautoscalers',
  'HorizontalPodAutoscaler',
);
export const HORIZONTALPODAUTOSCALERS_V1 = namespaced(
  'autoscaling',
  'v1',
  'horizontalpodautoscalers',
  'HorizontalPodAutoscaler',
);

export const ENDPOINTSLICES = namespaced('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice');

export const INGRESSCLASSES = clusterScoped('networking.k8s.io', 'v1', 'ingressclasses', 'IngressClass');
export const INGRESSES = namespaced('networking.k8s.io', 'v1', 'ingresses', 'Ingress');
export const IPADDRESSES = clusterScoped('networking.k8s.io', 'v1', 'ipaddresses', 'IPAddress');
/** Stored as v1, of which it is the older name: kubectl up to 1.32 asks for it to describe an IPAddress. */
export const IPADDRESSES_V1BETA1 = clusterScoped('networking.k8s.io', 'v1beta1', 'ipaddresses', 'IPAddress');
/** Cluster-wide policies; these three are custom resources. */
export const ADMINNETWORKPOLICIES = clusterScoped(
  'policy.networking.k8s.io',
  'v1alpha1',
  'adminnetworkpolicies',
  'AdminNetworkPolicy',
);
export const BASELINEADMINNETWORKPOLICIES = clusterScoped(
  'policy.networking.k8s.io',
  'v1alpha1',
  'baselineadminnetworkpolicies',
  'BaselineAdminNetworkPolicy',
);
export const CLUSTERNETWORKPOLICIES = clusterScoped(
  'policy.networking.k8s.io',
  'v1alpha2',
  'clusternetworkpolicies',
  'ClusterNetworkPolicy',
);
/** Of cilium; custom resources too. */
export const CILIUMNETWORKPOLICIES = namespaced('cilium.io', 'v2', 'ciliumnetworkpolicies', 'CiliumNetworkPolicy');
export const CILIUMCLUSTERWIDENETWORKPOLICIES = clusterScoped(
  'cilium.io',
  'v2',
  'ciliumclusterwidenetworkpolicies',
  'CiliumClusterwideNetworkPolicy',
);
export const CILIUMIDENTITIES = clusterScoped('cilium.io', 'v2', 'ciliumidentities', 'CiliumIdentity');
export const CILIUMCIDRGROUPS = clusterScoped('cilium.io', 'v2', 'ciliumcidrgroups', 'CiliumCIDRGroup');
export const CILIUMENDPOINTS = namespaced('cilium.io', 'v2', 'ciliumendpoints', 'CiliumEndpoint');
/** Of calico; custom resources too. */
export const CALICO_GLOBALNETWORKPOLICIES = clusterScoped(
  'projectcalico.org',
  'v3',
  'globalnetworkpolicies',
  'GlobalNetworkPolicy',
);
export const CALICO_NETWORKPOLICIES = namespaced('projectcalico.org', 'v3', 'networkpolicies', 'NetworkPolicy');
export const CALICO_TIERS = clusterScoped('projectcalico.org', 'v3', 'tiers', 'Tier');
export const CALICO_IPPOOLS = clusterScoped('projectcalico.org', 'v3', 'ippools', 'IPPool');
export const CALICO_GLOBALNETWORKSETS = clusterScoped(
  'projectcalico.org',
  'v3',
  'globalnetworksets',
  'GlobalNetworkSet',
);
export const CALICO_NETWORKSETS = namespaced('projectcalico.org', 'v3', 'networksets', 'NetworkSet');
export const CALICO_BGPCONFIGURATIONS = clusterScoped(
  'projectcalico.org',
  'v3',
  'bgpconfigurations',
  'BGPConfiguration',
);
export const CALICO_BGPPEERS = clusterScoped('projectcalico.org', 'v3', 'bgppeers', 'BGPPeer');
export const CALICO_IPAMBLOCKS = clusterScoped('crd.projectcalico.org', 'v1', 'ipamblocks', 'IPAMBlock');
export const CALICO_IPAMCONFIGS = clusterScoped('crd.projectcalico.org', 'v1', 'ipamconfigs', 'IPAMConfig');
export const NETWORKPOLICIES = namespaced('networking.k8s.io', 'v1', 'networkpolicies', 'NetworkPolicy');
export const SERVICECIDRS = clusterScoped('networking.k8s.io', 'v1', 'servicecidrs', 'ServiceCIDR');
export const SERVICECIDRS_V1BETA1 = clusterScoped('networking.k8s.io', 'v1beta1', 'servicecidrs', 'ServiceCIDR');

export const LEASES = namespaced('coordination.k8s.io', 'v1', 'leases', 'Lease');

/** Stored as core `events`; see `conversion/event.ts`. */
export const EVENTS_EVENTS = namespaced('events.k8s.io', 'v1', 'events', 'Event');

export const PODDISRUPTIONBUDGETS = namespaced('policy', 'v1', 'poddisruptionbudgets', 'PodDisruptionBudget');

export const CLUSTERROLEBINDINGS = clusterScoped(
  'rbac.authorization.k8s.io',
  'v1',
  'clusterrolebindings',
  'ClusterRoleBinding',
);
export const CLUSTERROLES = clusterScoped('rbac.authorization.k8s.io', 'v1', 'clusterroles', 'ClusterRole');
export const ROLEBINDINGS = namespaced('rbac.authorization.k8s.io', 'v1', 'rolebindings', 'RoleBinding');
export const ROLES = namespaced('rbac.authorization.k8s.io', 'v1', 'roles', 'Role');

export const CSIDRIVERS = clusterScoped('storage.k8s.io', 'v1', 'csidrivers', 'CSIDriver');
export const CSINODES = clusterScoped('storage.k8s.io', 'v1', 'csinodes', 'CSINode');
export const CSISTORAGECAPACITIES = namespaced('storage.k8s.io', 'v1', 'csistoragecapacities', 'CSIStorageCapacity');
export const STORAGECLASSES = clusterScoped('storage.k8s.io', 'v1', 'storageclasses', 'StorageClass');
export const VOLUMEATTACHMENTS = clusterScoped('storage.k8s.io', 'v1', 'volumeattachments', 'VolumeAttachment');

export const RUNTIMECLASSES = clusterScoped('node.k8s.io', 'v1', 'runtimeclasses', 'RuntimeClass');
export const PRIORITYCLASSES = clusterScoped('scheduling.k8s.io', 'v1', 'priorityclasses', 'PriorityClass');

export const CUSTOMRESOURCEDEFINITIONS = clusterScoped(
  'apiextensions.k8s.io',
  'v1',
  'customresourcedefinitions',
  'CustomResourceDefinition',
);

export const SELFSUBJECTREVIEWS = clusterScoped(
  'authentication.k8s.io',
  'v1',
  'selfsubjectreviews',
  'SelfSubjectReview',
);
export const TOKENREVIEWS = clusterScoped('authentication.k8s.io', 'v1', 'tokenreviews', 'TokenReview');
export const LOCALSUBJECTACCESSREVIEWS = namespaced(
  'authorization.k8s.io',
  'v1',
  'localsubjectaccessreviews',
  'LocalSubjectAccessReview',
);
export const SELFSUBJECTACCESSREVIEWS = clusterScoped(
  'authorization.k8s.io',
  'v1',
  'selfsubjectaccessreviews',
  'SelfSubjectAccessReview',
);
export const SELFSUBJECTRULESREVIEWS = clusterScoped(
  'authorization.k8s.io',
  'v1',
  'selfsubjectrulesreviews',
  'SelfSubjectRulesReview',
);
export const SUBJECTACCESSREVIEWS = clusterScoped(
  'authorization.k8s.io',
  'v1',
  'subjectaccessreviews',
  'SubjectAccessReview',
);
