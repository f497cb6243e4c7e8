// Calls the simulator with Auth0's Node SDK, as a program would call Auth0.
const { ManagementClient } = require('auth0');

(async () => {
  const m = new ManagementClient({ domain: process.argv[2], clientId: 'm', clientSecret: 's' });
  const rs = await m.resourceServers.create({ name: 'By the SDK', identifier: 'https://by-the-sdk', scopes: [{ value: 'read', description: 'x' }] });
  const role = await m.roles.create({ name: 'by the sdk' });
  await m.roles.permissions.add(role.id, { permissions: [{ resource_server_identifier: rs.identifier, permission_name: 'read' }] });
  const clients = [];
  for await (const c of await m.clients.list()) clients.push(c.name);
  try {
    await m.clients.get('nobody');
    throw new Error('a client that is not there was read');
  } catch (e) {
    if (e.statusCode !== 404) throw e;
  }
  console.log(JSON.stringify({ clients }));
})().catch((e) => {
  console.error(e);
  process.exit(1);
});
