// Carries the guide's objects from one simulated tenant to another with Auth0's Node SDK,
// as a program would on Auth0, and prints what it then reads on either, without what the
// tenants made up themselves.
// usage: sdk.js FROM TO PEM
const fs = require('fs');
const { ManagementClient } = require('auth0');

const [from, to, pem] = process.argv.slice(2);
const tenant = (domain) => new ManagementClient({ domain, clientId: 'm', clientSecret: 's' });

async function named(pages, name) {
  for await (const x of await pages) if (x.name === name) return x;
  throw new Error(`${name} is not listed`);
}

async function read(m) {
  const api = await m.resourceServers.get('https://system.okta.com/actions/express-configure/v1');
  const role = await named(m.roles.list({ name_filter: 'EXPRESS_CONFIGURE_ADMIN_ROLE' }), 'EXPRESS_CONFIGURE_ADMIN_ROLE');
  const permissions = [];
  for await (const p of await m.roles.permissions.list(role.id)) permissions.push(p);
  const { client_id } = await named(m.clients.list({ per_page: 2 }), 'Okta OIN Integration Client');
  const client = await m.clients.get(client_id);
  const credentials = await m.clients.credentials.list(client_id);
  const grants = [];
  for await (const g of await m.clientGrants.list({ client_id })) grants.push(g);
  const { id } = await named(m.actions.list({ actionName: 'express_configure_postlogin_action' }), 'express_configure_postlogin_action');
  const action = await m.actions.get(id);
  const flow = [];
  for await (const b of await m.actions.triggers.bindings.list('post-login')) flow.push(b.display_name);
  const { flags } = await m.tenants.settings.get({ fields: 'flags', include_fields: true });
  try {
    await m.clients.get('nobody');
    throw new Error('a client that is not there was read');
  } catch (e) {
    if (e.statusCode !== 404) throw e;
  }
  return { api, role, permissions, client, credentials, grants, action, flow, flags };
}

async function write(m, domain, { api, role, permissions, client, grants, action, flow, flags }) {
  const pick = (o, ...keys) => Object.fromEntries(keys.filter((k) => k in o).map((k) => [k, o[k]]));
  await m.resourceServers.create(pick(api, 'name', 'identifier', 'scopes', 'enforce_policies', 'token_lifetime', 'allow_offline_access', 'skip_consent_for_verifiable_first_party_clients'));
  const { id } = await m.roles.create(pick(role, 'name', 'description'));
  await m.roles.permissions.add(id, { permissions: permissions.map((p) => pick(p, 'resource_server_identifier', 'permission_name')) });
  const { client_id } = await m.clients.create({
    ...pick(client, 'name', 'description', 'app_type', 'callbacks', 'oidc_conformant', 'grant_types', 'jwt_configuration', 'organization_require_behavior', 'organization_usage', 'client_metadata'),
    client_authentication_methods: { private_key_jwt: { credentials: [{ name: 'OIN Public Key', credential_type: 'public_key', pem: fs.readFileSync(pem, 'utf8'), alg: 'RS256' }] } },
  });
  for (const g of grants) await m.clientGrants.create({ client_id, audience: `https://${domain}/api/v2/`, scope: g.scope });
  const { id: made } = await m.actions.create({
    ...pick(action, 'name', 'code', 'runtime', 'dependencies', 'supported_triggers'),
    secrets: action.secrets.map(({ name }) => ({ name, value: `another ${name}` })),
  });
  while ((await m.actions.get(made)).status !== 'built') await new Promise((done) => setTimeout(done, 50));
  await m.actions.deploy(made);
  while (!(await m.actions.get(made)).deployed_version?.deployed) await new Promise((done) => setTimeout(done, 50));
  await m.actions.triggers.bindings.updateMany('post-login', { bindings: flow.map((name) => ({ ref: { type: 'action_name', value: name }, display_name: name })) });
  await m.tenants.settings.update({ flags: pick(flags, 'use_scope_descriptions_for_consent') });
}

// What a tenant makes up, and the domain.
const own = /^(id|client_id|.*_at|tenant|number|build_time|signing_keys)$/;
const told = (o, domain) => JSON.stringify(o, (k, v) => (own.test(k) ? undefined : typeof v === 'string' ? v.replaceAll(domain, '{domain}') : v));

(async () => {
  const [a, b] = [tenant(from), tenant(to)];
  const there = await read(a);
  await write(b, to, there);
  console.log(told(there, from));
  console.log(told(await read(b), to));
})().catch((e) => {
  console.error(e);
  process.exit(1);
});
