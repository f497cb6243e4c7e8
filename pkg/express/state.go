package express

import (
	"cmp"
	"net/url"
	"slices"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// State is what a tenant has of a set-up and of what it needs around it, as Auth0
// shows it.
type State struct {
	// Flow are the bindings of the post-login trigger in their order, and Actions
	// the Actions in it by id.
	Flow    []map[string]any
	Actions map[string]map[string]any
	// Settings are the tenant's.
	Settings map[string]any
	// Apps has an entry for each of Setup.Apps.
	Apps []AppState
	// Organizations are those that were looked into; Uncounted is how many more there are.
	Organizations Seen[[]Organization]
	Uncounted     int
	// Named is the one organization that was asked for, "" if none was.
	Named string
	// Holders are the ids of users who have the role outside of organizations.
	Holders Seen[[]string]
	// Okta are the connections of strategy okta, by id.
	Okta Seen[map[string]map[string]any]

	found map[string]kind.Observed
	fault map[string]error
}

// AppState is what belongs to one application.
type AppState struct {
	// Keys are the credentials that the OIN client signs in with.
	Keys []map[string]any
	// Directories are the connections enabled for the OIN client.
	Directories Seen[[]map[string]any]
	// UserGrants are the OIN client's grants, read where the API asks for one before it
	// lets users log in.
	UserGrants []map[string]any
}

// Organization is a customer: its settings, enabled connections and members.
type Organization struct {
	ID, Name string
	Metadata map[string]any
	// Connections are as the organization has them enabled.
	Connections Seen[[]map[string]any]
	// Admins counts the members with the role, be it here or everywhere.
	Admins Seen[int]
}

// Seen is something that the credentials may not be allowed to read: then Lacks names
// the scopes of which one is missing, and Value is empty.
type Seen[T any] struct {
	Value T
	Lacks []string
}

// Refused stands in a kind.View for the answer to a read that the tenant refused.
type Refused struct{}

// mostOrganizations bounds how many organizations are looked into: each costs two reads.
const mostOrganizations = 25

// LookOptions say where to look.
type LookOptions struct {
	// Organization is the name of the one organization to look into; "" looks into the
	// first ones.
	Organization string
}

// Look gathers a State from what v has read, and notes in v what is missing. It must
// be called again until v misses nothing.
func Look(s Setup, v *kind.View, o LookOptions) *State {
	l := &looker{v: v, state: &State{found: map[string]kind.Observed{}, fault: map[string]error{}, Actions: map[string]map[string]any{}}}
	st := l.state
	st.Named = o.Organization
	for _, r := range slices.Concat(s.Resources(), s.Others) {
		l.find(r)
	}
	st.Settings, _ = v.Object(kind.Read{Path: "tenants/settings", Scopes: []string{"read:tenant_settings"}})
	l.flow(s)
	for _, app := range s.Apps {
		st.Apps = append(st.Apps, l.app(app, st.Found(s.API).Object))
	}
	roleID := ""
	if s.Role != nil {
		roleID = st.Found(s.Role).ID
	}
	if roleID != "" {
		users := l.list(kind.Read{Path: "roles/" + url.PathEscape(roleID) + "/users", List: "users", Scopes: []string{"read:users"}})
		st.Holders.Lacks = users.Lacks
		for _, u := range users.Value {
			st.Holders.Value = append(st.Holders.Value, text(u, "user_id"))
		}
	}
	l.organizations(o, roleID)
	okta := l.list(kind.Read{Path: "connections", Query: "strategy=okta", List: "connections", Scopes: []string{"read:connections"}})
	st.Okta = Seen[map[string]map[string]any]{Value: map[string]map[string]any{}, Lacks: okta.Lacks}
	for _, c := range okta.Value {
		st.Okta.Value[text(c, "id")] = c
	}
	return st
}

// Found is what was found of a resource.
func (st *State) Found(r *manifest.Resource) kind.Observed {
	if r == nil {
		return kind.Observed{}
	}
	return st.found[r.Address()]
}

// Fault is what stands in the way of finding a resource's object.
func (st *State) Fault(r *manifest.Resource) error { return st.fault[r.Address()] }

type looker struct {
	v     *kind.View
	state *State
}

// find looks a resource's object up as planning does, so that no read is new.
func (l *looker) find(r *manifest.Resource) {
	d := kind.Desired{Resource: r}
	d.Spec, _ = l.state.Resolve(r.Spec).(map[string]any)
	d.Match, _ = l.state.Resolve(r.Meta.Match).(map[string]any)
	for _, a := range manifest.Refs([]any{d.Spec, d.Match}) {
		d.Waiting = d.Waiting || l.state.found[a].Pending
	}
	found, err := kind.All()[r.Kind].Observe(d, l.v)
	l.state.found[r.Address()] = found
	if err != nil {
		l.state.fault[r.Address()] = err
	}
}

// list reads a collection that may be refused.
func (l *looker) list(r kind.Read) Seen[[]map[string]any] {
	if a, ok := l.v.Get(r); ok {
		if _, refused := a.(Refused); refused {
			return Seen[[]map[string]any]{Lacks: r.Scopes}
		}
	}
	items, _ := l.v.Items(r)
	return Seen[[]map[string]any]{Value: items}
}

// flow reads the Actions that run at a login, and the set-up's own.
func (l *looker) flow(s Setup) {
	bindings, _ := l.v.Items(kind.Read{Path: "actions/triggers/post-login/bindings", List: "bindings", Scopes: []string{"read:actions"}})
	l.state.Flow = bindings
	ids := []string{}
	for _, b := range bindings {
		action, _ := b["action"].(map[string]any)
		ids = append(ids, text(action, "id")) // the Action in a binding is a stale copy (facts, recorded §7)
	}
	for _, app := range s.Apps {
		if id := l.state.Found(app.Action).ID; id != "" {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		if a, _ := l.v.Object(kind.Read{Path: "actions/actions/" + url.PathEscape(id), Scopes: []string{"read:actions"}}); a != nil {
			l.state.Actions[id] = a
		}
	}
}

func (l *looker) app(app App, api map[string]any) AppState {
	var out AppState
	client := l.state.Found(app.Client)
	if !client.Exists {
		return out
	}
	path := "clients/" + url.PathEscape(client.ID)
	pool, _ := l.v.Items(kind.Read{Path: path + "/credentials", List: "[]", Scopes: []string{"read:client_credentials"}})
	methods, _ := client.Object["client_authentication_methods"].(map[string]any)
	byKey, _ := methods["private_key_jwt"].(map[string]any)
	for _, a := range objects(byKey["credentials"]) {
		for _, c := range pool {
			if c["id"] == a["id"] {
				out.Keys = append(out.Keys, c)
			}
		}
	}
	if userPolicy(api) == "require_client_grant" {
		of := url.Values{"client_id": {client.ID}, "audience": {text(api, "identifier")}}
		out.UserGrants, _ = l.v.Items(kind.Read{Path: "client-grants", Query: of.Encode(), List: "client_grants", Scopes: []string{"read:client_grants"}})
	}
	out.Directories = l.list(kind.Read{Path: path + "/connections", List: "connections", Scopes: []string{"read:connections"}})
	return out
}

func (l *looker) organizations(o LookOptions, roleID string) {
	read := kind.Read{Path: "organizations", List: "organizations", Scopes: []string{"read:organizations"}}
	var all []map[string]any
	if o.Organization != "" {
		read = kind.Read{Path: "organizations/name/" + url.PathEscape(o.Organization), Scopes: read.Scopes}
		a, _ := l.v.Get(read)
		if _, refused := a.(Refused); refused {
			l.state.Organizations.Lacks = read.Scopes
		}
		if one, ok := a.(map[string]any); ok {
			all = append(all, one)
		}
	} else {
		seen := l.list(read)
		all, l.state.Organizations.Lacks = seen.Value, seen.Lacks
	}
	slices.SortFunc(all, func(a, b map[string]any) int { return cmp.Compare(text(a, "name"), text(b, "name")) })
	if len(all) > mostOrganizations {
		l.state.Uncounted = len(all) - mostOrganizations
		all = all[:mostOrganizations]
	}
	for _, g := range all {
		path := "organizations/" + url.PathEscape(text(g, "id"))
		org := Organization{ID: text(g, "id"), Name: text(g, "name")}
		org.Metadata, _ = g["metadata"].(map[string]any)
		org.Connections = l.list(kind.Read{Path: path + "/enabled_connections", List: "enabled_connections", Scopes: []string{"read:organization_connections"}})
		// Roles are listed only where they are asked for (OAS GET /organizations/{id}/members).
		members := l.list(kind.Read{
			Path: path + "/members", Query: "fields=roles%2Cuser_id&include_fields=true", List: "members",
			Scopes: []string{"read:organization_members", "read:organization_member_roles"},
		})
		org.Admins.Lacks = members.Lacks
		for _, m := range members.Value {
			here := slices.ContainsFunc(objects(m["roles"]), func(r map[string]any) bool { return r["id"] == roleID })
			if here || slices.Contains(l.state.Holders.Value, text(m, "user_id")) { // who has it everywhere has it here
				org.Admins.Value++
			}
		}
		l.state.Organizations.Value = append(l.state.Organizations.Value, org)
	}
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

func objects(v any) []map[string]any {
	list, _ := v.([]any)
	var out []map[string]any
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// Resolve fills in what v refers to, as far as it was found.
func (st *State) Resolve(v any) any {
	return manifest.Resolve(v, func(address, attr string) (any, bool) {
		got, ok := st.found[address].Object[attr]
		return got, ok
	})
}
