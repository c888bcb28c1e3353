/** `--authorization-mode RBAC` as kubectl sees it: who may do what, who may give it, who may act as whom. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestApiServer } from './apiserver.testkit.ts';

const server = await TestApiServer.start({ PODWIRE_API_AUTHORIZATION_MODE: 'RBAC' });

describe.skipIf(server === undefined)('an apiserver with RBAC', () => {
  const api = server!;
  afterAll(() => api.stop());

  async function run(command: string): Promise<{ code: number; text: string }> {
    const { code, stdout, stderr } = await api.kubectl(command.split(' '));
    return { code, text: stdout + stderr };
  }

  async function succeed(command: string): Promise<string> {
    const { code, text } = await run(command);
    expect(code, `${command}: ${text}`).toBe(0);
    return text;
  }

  beforeAll(async () => {
    await succeed('create namespace lab');
    await succeed('create serviceaccount robot -n lab');
    await succeed('create clusterrole pod-reader --verb=get,list,watch --resource=pods,pods/log');
    await succeed('create rolebinding jane-reads -n lab --clusterrole=pod-reader --user=jane');
    await succeed('create rolebinding robot-edits -n lab --clusterrole=edit --serviceaccount=lab:robot');
    await succeed('create clusterrolebinding ops-view --clusterrole=view --group=ops');
    await succeed('create rolebinding lara-administers -n lab --clusterrole=admin --user=lara');
    await succeed('create configmap settings -n lab --from-literal=a=1');
  });

  it('has the default roles and bindings', async () => {
    const roles = await succeed('get clusterroles -o name');
    for (const name of ['cluster-admin', 'admin', 'edit', 'view', 'system:basic-user', 'system:discovery']) {
      expect(roles).toContain(`clusterrole.rbac.authorization.k8s.io/${name}\n`);
    }
    expect(await succeed('get clusterrolebinding cluster-admin -o jsonpath={.subjects[0].name}')).toBe(
      'system:masters',
    );
  });

  it.each([
    ['get pods -n lab --as jane', 'yes'],
    ['get pods/log -n lab --as jane', 'yes'],
    ['delete pods -n lab --as jane', 'no'],
    ['get pods -n default --as jane', 'no'],
    ['get pods -A --as jane', 'no'],
    ['list configmaps -A --as joe --as-group ops', 'yes'],
    ['get secrets -n lab --as joe --as-group ops', 'no'],
    ['create deployments -n lab --as system:serviceaccount:lab:robot', 'yes'],
    ['create roles.rbac.authorization.k8s.io -n lab --as system:serviceaccount:lab:robot', 'no'],
    ['create roles.rbac.authorization.k8s.io -n lab --as lara', 'yes'],
    ['create selfsubjectaccessreviews.authorization.k8s.io --as nobody-special', 'yes'],
    ['get /version --as jane', 'yes'],
    ['get /metrics --as jane', 'no'],
    ['* *', 'yes'],
  ])('auth can-i %s: %s', async (question, answer) => {
    const { code, stdout } = await api.kubectl(['auth', 'can-i', ...question.split(' ')]);
    expect(stdout.trim()).toMatch(new RegExp(`^${answer}\\b`));
    expect(code).toBe(answer === 'yes' ? 0 : 1);
  });

  it.each([
    [
      'get secrets -n lab --as jane',
      'Error from server (Forbidden): secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" in the namespace "lab"',
    ],
    [
      'get nodes --as jane',
      'Error from server (Forbidden): nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster scope',
    ],
    [
      'delete configmap settings -n lab --as jane',
      'Error from server (Forbidden): configmaps "settings" is forbidden: User "jane" cannot delete resource "configmaps" in API group "" in the namespace "lab"',
    ],
    [
      'get --raw /metrics --as jane',
      'Error from server (Forbidden): forbidden: User "jane" cannot get path "/metrics"',
    ],
  ])('%s is refused', async (command, message) => {
    const { code, text } = await run(command);
    expect(text.trim()).toBe(message);
    expect(code).toBe(1);
  });

  it('lets nobody give what they do not have', async () => {
    const role = await run('create role all -n lab --verb=* --resource=nodes --as lara');
    expect(role.text).toContain('is attempting to grant RBAC permissions not currently held:');
    expect(role.text).toContain('Verbs:["*"]');
    const binding = await run('create rolebinding more -n lab --clusterrole=cluster-admin --user=lara --as lara');
    expect(binding.text).toContain('rolebindings.rbac.authorization.k8s.io "more" is forbidden: user "lara"');
    await succeed('create role readers -n lab --verb=get --resource=configmaps --as lara');
    await succeed('create rolebinding readers -n lab --role=readers --user=max --as lara');
    expect(await succeed('get configmap settings -n lab --as max -o name')).toBe('configmap/settings\n');
    const elsewhere = await run('create rolebinding readers -n default --clusterrole=view --user=max --as lara');
    expect(elsewhere.text).toContain('cannot create resource "rolebindings"');
  });

  it('lets only those act as others who may', async () => {
    const headers = { authorization: `Bearer ${await tokenOf('robot')}` };
    const asJane = await api.process.call('GET', '/api/v1/namespaces/lab/pods', '', {
      ...headers,
      'impersonate-user': 'jane',
    });
    expect(asJane.code).toBe(403);
    expect(JSON.parse(asJane.body).message).toBe(
      'users "jane" is forbidden: User "system:serviceaccount:lab:robot" cannot impersonate resource "users" in API group "" at the cluster scope',
    );
    const headless = await api.process.call('GET', '/api/v1/pods', '', { 'impersonate-group': 'ops' });
    expect(headless.code).toBe(400);
  });

  it('knows service accounts by their tokens', async () => {
    const headers = { authorization: `Bearer ${await tokenOf('robot')}` };
    const body = '{"metadata":{"name":"made"}}';
    expect((await api.process.call('POST', '/api/v1/namespaces/lab/configmaps', body, headers)).code).toBe(201);
    expect((await api.process.call('POST', '/api/v1/namespaces/default/configmaps', body, headers)).code).toBe(403);
    expect(
      (await api.process.call('GET', '/api/v1/namespaces/lab/configmaps?watch=1&timeoutSeconds=1', '', headers)).code,
    ).toBe(200);
    expect((await api.process.call('GET', '/api/v1/configmaps?watch=1', '', headers)).code).toBe(403);
  });

  it('tells what a user may do', async () => {
    const list = await succeed('auth can-i --list -n lab --as jane');
    expect(list).toMatch(/pods\s+\[\]\s+\[\]\s+\[get list watch\]/);
    expect(list).not.toContain('secrets');
    expect(await succeed('auth whoami --as jane')).toContain('[system:authenticated]');
  });

  it('names the role that is missing', async () => {
    await succeed('create rolebinding stale -n lab --clusterrole=pod-reader --user=zoe');
    await succeed('create clusterrole soon-gone --verb=get --resource=pods');
    await succeed('create rolebinding gone -n lab --clusterrole=soon-gone --user=yan');
    await succeed('delete clusterrole soon-gone');
    const { text } = await run('get pods -n lab --as yan');
    expect(text).toContain('RBAC: clusterrole.rbac.authorization.k8s.io "soon-gone" not found');
  });

  async function tokenOf(account: string): Promise<string> {
    const path = `/api/v1/namespaces/lab/serviceaccounts/${account}/token`;
    const { body } = await api.process.call('POST', path, '{"spec":{}}');
    return JSON.parse(body).status.token;
  }

  it('keeps the kubeconfig to its owner', () => {
    expect(readFileSync(api.kubeconfig, 'utf8')).toContain('client-certificate-data');
  });
});
