// For a tenant with several applications, or with home realm discovery: the claims of a
// token are those of the application that its client was made for, and of no other.
exports.onExecutePostLogin = async (event, api) => {
  if (event.request.query.audience !== event.secrets.EXPRESS_CONFIGURE_API_IDENTIFIER) {
    return;
  }

  const app = event.client.metadata.express_configure_sp_client_id;
  if (!app || !event.organization?.id) {
    throw Error("Unable to issue token for Express Configure API - missing data.");
  }

  const loginUris = JSON.parse(event.secrets.SERVICE_INIT_LOGIN_URLS);
  if (!Object.hasOwn(loginUris, app)) {
    throw Error("Unable to issue token for Express Configure API - unknown application.");
  }

  api.accessToken.setCustomClaim('sp_client_id', app);
  api.accessToken.setCustomClaim('management_api_audience', event.secrets.TENANT_DOMAIN + '/api/v2/');
  api.accessToken.setCustomClaim('init_login_uri', loginUris[app]);

  const key = event.secrets.DOMAIN_ALIASES_METADATA;
  const domains = key && event.organization.metadata?.[key];
  if (domains) {
    const aliases = domains.split(',').map((domain) => domain.trim().toLowerCase()).filter(Boolean);
    api.accessToken.setCustomClaim('express_configuration', { domain_aliases: aliases });
  }
};
