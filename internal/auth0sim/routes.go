package auth0sim

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// route is one operation that is served. Scopes, parameters and the body's schema
// come from operations.json.
type route struct {
	method   string
	segments []string // of the path below /api/v2
	op       *operation
	scopes   []string // any of them, or all if all is set
	all      bool
	strict   bool // no query parameters but pages and the document's
	bodyless bool // no body is as good as one
	handle   func(*call) answer
}

// served is every operation of the Management API that the simulator knows, by the
// key that operations.json has it under.
var served = map[string]func(*call) answer{
	"GET /resource-servers":         (*call).listResourceServers,
	"POST /resource-servers":        (*call).createResourceServer,
	"GET /resource-servers/{id}":    (*call).getResourceServer,
	"PATCH /resource-servers/{id}":  (*call).updateResourceServer,
	"DELETE /resource-servers/{id}": (*call).deleteResourceServer,

	"GET /roles":                     (*call).listRoles,
	"POST /roles":                    (*call).createRole,
	"GET /roles/{id}":                (*call).getRole,
	"PATCH /roles/{id}":              (*call).updateRole,
	"DELETE /roles/{id}":             (*call).deleteRole,
	"GET /roles/{id}/permissions":    (*call).listRolePermissions,
	"POST /roles/{id}/permissions":   (*call).addRolePermissions,
	"DELETE /roles/{id}/permissions": (*call).removeRolePermissions,
	"GET /roles/{id}/users":          (*call).listRoleUsers,
	"POST /roles/{id}/users":         (*call).addRoleUsers,

	"GET /clients":                                            (*call).listClients,
	"POST /clients":                                           (*call).createClient,
	"GET /clients/{id}":                                       (*call).getClient,
	"PATCH /clients/{id}":                                     (*call).updateClient,
	"DELETE /clients/{id}":                                    (*call).deleteClient,
	"POST /clients/{id}/rotate-secret":                        (*call).rotateSecret,
	"GET /clients/{id}/connections":                           (*call).listClientConnections,
	"GET /clients/{client_id}/credentials":                    (*call).listCredentials,
	"POST /clients/{client_id}/credentials":                   (*call).createCredential,
	"GET /clients/{client_id}/credentials/{credential_id}":    (*call).getCredential,
	"PATCH /clients/{client_id}/credentials/{credential_id}":  (*call).updateCredential,
	"DELETE /clients/{client_id}/credentials/{credential_id}": (*call).deleteCredential,

	"GET /client-grants":                    (*call).listGrants,
	"POST /client-grants":                   (*call).createGrant,
	"GET /client-grants/{id}":               (*call).getGrant,
	"PATCH /client-grants/{id}":             (*call).updateGrant,
	"DELETE /client-grants/{id}":            (*call).deleteGrant,
	"GET /client-grants/{id}/organizations": (*call).listGrantOrganizations,

	"GET /actions/actions":                                  (*call).listActions,
	"POST /actions/actions":                                 (*call).createAction,
	"GET /actions/actions/{id}":                             (*call).getAction,
	"PATCH /actions/actions/{id}":                           (*call).updateAction,
	"DELETE /actions/actions/{id}":                          (*call).deleteAction,
	"POST /actions/actions/{id}/deploy":                     (*call).deployAction,
	"POST /actions/actions/{id}/test":                       (*call).testAction,
	"GET /actions/actions/{actionId}/versions":              (*call).listVersions,
	"GET /actions/actions/{actionId}/versions/{id}":         (*call).getVersion,
	"POST /actions/actions/{actionId}/versions/{id}/deploy": (*call).deployVersion,
	"GET /actions/executions/{id}":                          (*call).getExecution,
	"GET /actions/triggers":                                 (*call).listTriggers,
	"GET /actions/triggers/{triggerId}/bindings":            (*call).listBindings,
	"PATCH /actions/triggers/{triggerId}/bindings":          (*call).updateBindings,

	"GET /tenants/settings":   (*call).getSettings,
	"PATCH /tenants/settings": (*call).updateSettings,

	"GET /organizations":                                            (*call).listOrganizations,
	"POST /organizations":                                           (*call).createOrganization,
	"GET /organizations/name/{name}":                                (*call).getOrganizationByName,
	"GET /organizations/{id}":                                       (*call).getOrganization,
	"PATCH /organizations/{id}":                                     (*call).updateOrganization,
	"DELETE /organizations/{id}":                                    (*call).deleteOrganization,
	"GET /organizations/{id}/enabled_connections":                   (*call).listOrganizationConnections,
	"POST /organizations/{id}/enabled_connections":                  (*call).addOrganizationConnection,
	"GET /organizations/{id}/enabled_connections/{connectionId}":    (*call).getOrganizationConnection,
	"PATCH /organizations/{id}/enabled_connections/{connectionId}":  (*call).updateOrganizationConnection,
	"DELETE /organizations/{id}/enabled_connections/{connectionId}": (*call).removeOrganizationConnection,
	"GET /organizations/{id}/connections":                           (*call).listOrganizationConnections,
	"POST /organizations/{id}/connections":                          (*call).addOrganizationConnection,
	"GET /organizations/{id}/connections/{connection_id}":           (*call).getOrganizationConnection,
	"PATCH /organizations/{id}/connections/{connection_id}":         (*call).updateOrganizationConnection,
	"DELETE /organizations/{id}/connections/{connection_id}":        (*call).removeOrganizationConnection,
	"GET /organizations/{id}/members":                               (*call).listMembers,
	"POST /organizations/{id}/members":                              (*call).addMembers,
	"DELETE /organizations/{id}/members":                            (*call).removeMembers,
	"GET /organizations/{id}/members/{user_id}/roles":               (*call).listMemberRoles,
	"POST /organizations/{id}/members/{user_id}/roles":              (*call).addMemberRoles,
	"DELETE /organizations/{id}/members/{user_id}/roles":            (*call).removeMemberRoles,
	"GET /organizations/{id}/client-grants":                         (*call).listOrganizationGrants,
	"POST /organizations/{id}/client-grants":                        (*call).addOrganizationGrant,
	"DELETE /organizations/{id}/client-grants/{grant_id}":           (*call).removeOrganizationGrant,

	"GET /connections":                                             (*call).listConnections,
	"POST /connections":                                            (*call).createConnection,
	"GET /connections/{id}":                                        (*call).getConnection,
	"PATCH /connections/{id}":                                      (*call).updateConnection,
	"DELETE /connections/{id}":                                     (*call).deleteConnection,
	"GET /connections/{id}/clients":                                (*call).listConnectionClients,
	"PATCH /connections/{id}/clients":                              (*call).updateConnectionClients,
	"GET /connections/{id}/status":                                 (*call).connectionStatus,
	"GET /connections/{id}/scim-configuration":                     (*call).getSCIM,
	"POST /connections/{id}/scim-configuration":                    (*call).createSCIM,
	"PATCH /connections/{id}/scim-configuration":                   (*call).updateSCIM,
	"DELETE /connections/{id}/scim-configuration":                  (*call).deleteSCIM,
	"GET /connections/{id}/scim-configuration/default-mapping":     (*call).defaultSCIMMapping,
	"GET /connections/{id}/scim-configuration/tokens":              (*call).listSCIMTokens,
	"POST /connections/{id}/scim-configuration/tokens":             (*call).createSCIMToken,
	"DELETE /connections/{id}/scim-configuration/tokens/{tokenId}": (*call).deleteSCIMToken,

	"GET /users":                     (*call).listUsers,
	"GET /users-by-email":            (*call).listUsersByEmail,
	"POST /users":                    (*call).createUser,
	"GET /users/{id}":                (*call).getUser,
	"PATCH /users/{id}":              (*call).updateUser,
	"DELETE /users/{id}":             (*call).deleteUser,
	"GET /users/{id}/roles":          (*call).listUserRoles,
	"POST /users/{id}/roles":         (*call).addUserRoles,
	"DELETE /users/{id}/roles":       (*call).removeUserRoles,
	"GET /users/{id}/permissions":    (*call).listUserPermissions,
	"POST /users/{id}/permissions":   (*call).addUserPermissions,
	"DELETE /users/{id}/permissions": (*call).removeUserPermissions,
	"GET /users/{id}/organizations":  (*call).listUserOrganizations,

	"GET /logs":      (*call).listLogs,
	"GET /logs/{id}": (*call).getLog,

	"GET /user-attribute-profiles":                (*call).listAttributeProfiles,
	"POST /user-attribute-profiles":               (*call).createAttributeProfile,
	"GET /user-attribute-profiles/{id}":           (*call).getAttributeProfile,
	"PATCH /user-attribute-profiles/{id}":         (*call).updateAttributeProfile,
	"DELETE /user-attribute-profiles/{id}":        (*call).deleteAttributeProfile,
	"GET /user-attribute-profiles/templates":      (*call).listAttributeTemplates,
	"GET /user-attribute-profiles/templates/{id}": (*call).getAttributeTemplate,
	"GET /connection-profiles":                    (*call).listConnectionProfiles,
	"POST /connection-profiles":                   (*call).createConnectionProfile,
	"GET /connection-profiles/{id}":               (*call).getConnectionProfile,
	"PATCH /connection-profiles/{id}":             (*call).updateConnectionProfile,
	"DELETE /connection-profiles/{id}":            (*call).deleteConnectionProfile,
	"GET /connection-profiles/templates":          (*call).listConnectionTemplates,
	"GET /connection-profiles/templates/{id}":     (*call).getConnectionTemplate,
}

// exceptions correct what operations.json can't say.
var exceptions = map[string]func(*route){
	// facts §3.2: all of; REC-tf and OAS list read:role_members beside them.
	"GET /roles/{id}/users":  func(r *route) { r.all, r.scopes = true, []string{"read:users", "read:roles"} },
	"POST /roles/{id}/users": func(r *route) { r.scopes = []string{"update:roles", "create:role_members"} },
	"POST /organizations":    func(r *route) { r.scopes = []string{"create:organizations"} }, // the other only for enabled_connections
	"GET /users/{id}/roles":  func(r *route) { r.all = true },                                // OAS, its 403: "all of: read:users, read:roles, read:role_members"
	// OAS, its 403: "read:connections and any of: read:clients or read:client_summary".
	"GET /clients/{id}/connections": func(r *route) { r.scopes = []string{"read:connections"} },
	// facts, "What the guide's commands really send": an empty body.
	"POST /actions/actions/{id}/deploy":                     func(r *route) { r.bodyless = true },
	"POST /actions/actions/{actionId}/versions/{id}/deploy": func(r *route) { r.bodyless = true },
	"POST /clients/{id}/rotate-secret":                      func(r *route) { r.bodyless = true },
	"POST /connections/{id}/scim-configuration":             func(r *route) { r.bodyless = true }, // OAS: the body may be null
	"POST /connections/{id}/scim-configuration/tokens":      func(r *route) { r.bodyless = true },
}

// table finds routes by method and number of segments.
var table = sync.OnceValue(func() map[string][]*route {
	out := map[string][]*route{}
	for key, handle := range served {
		op := api().Operations[key]
		if op == nil {
			panic("auth0sim: operations.json lacks " + key)
		}
		method, path, _ := strings.Cut(key, " ")
		r := &route{
			method: method, segments: strings.Split(path[1:], "/"), op: op, scopes: op.Scopes, handle: handle,
			strict: strings.HasPrefix(path, "/actions/"), // deploy-cli's actions.ts: include_totals is refused
		}
		if fix := exceptions[key]; fix != nil {
			fix(r)
		}
		k := method + strconv.Itoa(len(r.segments))
		out[k] = append(out[k], r)
	}
	return out
})

// find returns the route of a path below /api/v2/ and its parameters. A literal
// segment wins over a parameter (organizations/name/{name}).
func find(method, escaped string) (*route, map[string]string) {
	parts := strings.Split(strings.TrimSuffix(escaped, "/"), "/")
	if parts[0] == "resource-servers" && len(parts) > 2 {
		// An identifier whose slashes are not escaped: some clients send it so, and
		// proxies before the service unescape. Nothing else lies below a resource server.
		parts = []string{parts[0], strings.Join(strings.Split(escaped, "/")[1:], "/")}
	}
	if method == http.MethodHead {
		method = http.MethodGet // hapi answers HEAD from the GET route
	}
	var best *route
	literals := -1
candidates:
	for _, r := range table()[method+strconv.Itoa(len(parts))] {
		n := 0
		for i, s := range r.segments {
			if s[0] == '{' {
				if parts[i] == "" {
					continue candidates
				}
			} else if s == parts[i] {
				n++
			} else {
				continue candidates
			}
		}
		if n > literals {
			best, literals = r, n
		}
	}
	if best == nil {
		return nil, nil
	}
	params := map[string]string{}
	for i, s := range best.segments {
		if s[0] == '{' {
			v, err := url.PathUnescape(parts[i])
			if err != nil {
				v = parts[i]
			}
			params[s[1:len(s)-1]] = v
		}
	}
	return best, params
}
