package kind

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// A membership is an element {user, role, role_id} of a list: the user's id and a role
// that the member has in the organization, its name "" for the membership itself. So each
// can be added, taken away and put back for itself, whatever others do.

// observeMembers reads an organization's members with their roles, and looks up those
// users and roles that are declared.
func observeMembers(d Desired, o *Observed, v *View) (ok bool, err error) {
	names, roles, ids := map[string]any{}, map[string]any{}, map[string]any{}
	if o.Exists {
		// Roles are listed only where they are asked for (OAS GET /organizations/{id}/members).
		items, ok := v.Items(Read{
			Path:  "organizations/" + url.PathEscape(o.ID) + "/members",
			Query: url.Values{"fields": {"user_id,email,roles"}, "include_fields": {"true"}}.Encode(), List: "members",
			Scopes: []string{"read:organization_members", "read:organization_member_roles"}, For: d.Address(),
		})
		if !ok {
			return false, nil
		}
		memberships := []any{}
		for _, m := range items {
			id := text(m, "user_id")
			names[id] = text(m, "email")
			memberships = append(memberships, membership(id, "", nil))
			for _, r := range objects(m["roles"]) {
				memberships = append(memberships, membership(id, text(r, "name"), r["id"]))
				roles[text(r, "name")] = text(r, "id")
			}
		}
		o.Spec["members"] = memberships
	}
	ready := true
	for _, m := range objects(d.Spec["members"]) {
		id, ok, err := findUser(d, v, text(m, "user"), names)
		if err != nil {
			return false, err
		}
		ready = ready && ok
		ids[text(m, "user")] = id
		for _, word := range listOf(m["roles"]) {
			ok, err := findRole(d, v, fmt.Sprint(word), roles)
			if err != nil {
				return false, err
			}
			ready = ready && ok
		}
	}
	o.Spec[userIDs], o.Spec[userNames], o.Spec[roleIDs] = ids, names, roles
	return ready, nil
}

// wantedMembers are the declared memberships.
func wantedMembers(d Desired, o Observed) []any {
	ids, _ := o.Spec[userIDs].(map[string]any)
	roles, _ := o.Spec[roleIDs].(map[string]any)
	out := []any{}
	for _, m := range objects(d.Spec["members"]) {
		if _, one := m["role"]; one { // as a rollback puts it
			out = append(out, m)
			continue
		}
		user, _ := ids[text(m, "user")].(string)
		out = append(out, membership(user, "", nil))
		for _, word := range listOf(m["roles"]) {
			for _, name := range manifest.Keys(roles) {
				if word == name || word == roles[name] {
					out = append(out, membership(user, name, roles[name]))
					break
				}
			}
		}
	}
	return out
}

// DeclaredMembers are an organization's members as a manifest declares them: by id, with
// their roles by name.
func DeclaredMembers(o Observed) []any {
	var out []any
	var last map[string]any
	for _, m := range objects(o.Spec["members"]) {
		if isMembership(m) {
			last = map[string]any{"user": m["user"]}
			out = append(out, last)
		} else if last != nil { // a member's roles follow
			last["roles"] = append(listOf(last["roles"]), m["role"])
		}
	}
	return out
}

func membership(user, role string, roleID any) map[string]any {
	m := map[string]any{"user": user, "role": role}
	if roleID != nil {
		m["role_id"] = roleID
	}
	return m
}

// findUser finds a declared user, by id or e-mail address, among the members and then on
// the tenant. names gives the addresses of those that were seen, by id.
func findUser(d Desired, v *View, word string, names map[string]any) (id string, ok bool, err error) {
	if strings.Contains(word, "|") {
		if _, member := names[word]; member {
			return word, true, nil
		}
		u, ok := v.Object(Read{Path: "users/" + url.PathEscape(word), Query: userFields.Encode(), Scopes: []string{"read:users"}, For: d.Address()})
		if ok && u == nil {
			return "", true, fmt.Errorf("the tenant has no user %q. ecplan makes no users: invite the person, or name another", word)
		}
		names[word] = text(u, "email")
		return word, ok, nil
	}
	var found []string
	for _, id := range manifest.Keys(names) {
		if mail, _ := names[id].(string); strings.EqualFold(mail, word) {
			found = append(found, id)
		}
	}
	if len(found) == 0 {
		query := url.Values{"email": {strings.ToLower(word)}} // as Auth0 keeps them (OAS GET /users-by-email)
		for f, value := range userFields {
			query[f] = value
		}
		users, ok := v.Items(Read{Path: "users-by-email", Query: query.Encode(), List: "[]", Scopes: []string{"read:users"}, For: d.Address()})
		if !ok {
			return "", false, nil
		}
		for _, u := range users {
			found = append(found, text(u, "user_id"))
		}
	}
	switch len(found) {
	case 0:
		return "", true, fmt.Errorf("the tenant has no user with the e-mail address %q. ecplan makes no users: invite the person, or write another address", word)
	case 1:
		names[found[0]] = word
		return found[0], true, nil
	}
	slices.Sort(found)
	return "", true, &Ambiguous{What: fmt.Sprintf("users with the e-mail address %q", word), Found: found, Hint: "Write the user's id instead of the address."}
}

var userFields = url.Values{"fields": {"user_id,email"}, "include_fields": {"true"}}

// findRole finds a declared role, by name or id, and notes in ids how requests name it.
// One that the same manifests declare may not be there yet.
func findRole(d Desired, v *View, word string, ids map[string]any) (ok bool, err error) {
	for name, id := range ids {
		if name == word || id == word {
			return true, nil
		}
	}
	if strings.HasPrefix(word, "rol_") {
		r, ok := v.Object(Read{Path: "roles/" + url.PathEscape(word), Scopes: roles.scopes.Read, For: d.Address()})
		if ok && r == nil {
			return noRole(d, v, "with the id "+strconv.Quote(word), "Write the name of one that is there")
		}
		ids[text(r, "name")] = word
		return ok, nil
	}
	items, ok := v.Items(roleRead(d, v, word))
	if !ok {
		return false, nil
	}
	for _, r := range items {
		if text(r, "name") == word && text(r, "type") != "organization" {
			ids[word] = text(r, "id")
			return true, nil
		}
	}
	if address := d.Named["Role.name="+word]; address != "" {
		ids[word] = manifest.Ref(address, "id")
		return true, nil
	}
	return noRole(d, v, strconv.Quote(word)+", and the manifests declare none", "Declare it, or write the name of one that is there")
}

func noRole(d Desired, v *View, what, advice string) (ok bool, err error) {
	have, ok := role().Others(d.Address(), v)
	if ok {
		err = fmt.Errorf("the tenant has no role %s. %s: %s", what, advice, listed(have))
	}
	return ok, err
}

// memberSteps adds users and gives them roles, and takes back what runs gave and nobody
// declares any more.
func memberSteps(d Desired, o Observed) []Step {
	exclusive, _ := d.Spec["exclusive"].(bool)
	diff := partOf("Organization", "members", wantedMembers(d, o), d, o, exclusive)
	rule := schemas.Rules("Organization").Properties["members"]
	m := &membershipWriter{d: d, o: o, keeps: diff.keeps, rule: rule}
	before, after := keyed(rule, diff.before["members"]), keyed(rule, diff.after["members"])
	gained, lost := map[string][]any{}, map[string][]any{} // memberships by user
	for _, key := range order(rule, diff.before["members"], diff.after["members"]) {
		if e, _ := after[key].(map[string]any); before[key] == nil {
			gained[text(e, "user")] = append(gained[text(e, "user")], e)
		} else if e, _ := before[key].(map[string]any); after[key] == nil {
			lost[text(e, "user")] = append(lost[text(e, "user")], e)
		}
	}
	var steps []Step
	joining, leaving := withMembership(gained), withMembership(lost)
	if len(joining) > 0 {
		steps = append(steps, m.join(joining))
	}
	for _, u := range manifest.Keys(gained) {
		if rs := slices.DeleteFunc(slices.Clone(gained[u]), isMembership); len(rs) > 0 {
			s := m.roles(u, rs, true)
			if slices.Contains(joining, u) {
				s.Needs = []string{steps[0].ID}
			}
			steps = append(steps, s)
		}
	}
	for _, u := range manifest.Keys(lost) {
		if !slices.Contains(leaving, u) { // whoever leaves loses the roles too
			steps = append(steps, m.roles(u, lost[u], false))
		}
	}
	if len(leaving) > 0 {
		steps = append(steps, m.leave(leaving))
	}
	return steps
}

// withMembership lists the users who gain or lose more than roles.
func withMembership(changes map[string][]any) []string {
	return slices.DeleteFunc(manifest.Keys(changes), func(u string) bool { return !slices.ContainsFunc(changes[u], isMembership) })
}

// isMembership says whether an element is the membership itself, not a role.
func isMembership(e any) bool {
	m, _ := e.(map[string]any)
	return m["role"] == ""
}

// membershipWriter makes the writes to an organization's members.
type membershipWriter struct {
	d     Desired
	o     Observed
	keeps []string
	rule  *schemas.Rule
}

func (m *membershipWriter) step(part, reason string) Step {
	s := newStep(m.d, m.o, part, Update, reason)
	s.Keeps = m.keeps
	return s
}

// label is a user for people.
func (m *membershipWriter) label(user string) string {
	names, _ := m.o.Spec[userNames].(map[string]any)
	if mail, _ := names[user].(string); mail != "" {
		return "members[" + mail + "]"
	}
	return "members[" + user + "]"
}

func (m *membershipWriter) path(more ...any) []any {
	return append([]any{organizations.path, self(m.d, m.o, "id"), "members"}, more...)
}

// change tells what the step does to memberships; merged or released keys follow.
func (m *membershipWriter) change(s *Step, elements []any, add bool) {
	keys := make([]string, len(elements))
	for i, e := range elements {
		keys[i] = elementKey(m.rule, e)
	}
	here, gone := map[string]any{"members": elements}, map[string]any{"members": []any{}}
	if add {
		s.Before, s.After, s.Merged = gone, here, map[string][]string{"members": keys}
	} else {
		s.Before, s.After, s.Released = here, gone, map[string][]string{"members": keys}
	}
}

func (m *membershipWriter) join(users []string) Step {
	s := m.step("members", plural(len(users), "a declared person is not a member", "declared people are not members"))
	s.Request = Request{Method: "POST", Path: m.path(), Body: map[string]any{"members": anyList(users)}}
	s.Scopes = []string{"create:organization_members"}
	elements := make([]any, len(users))
	for i, u := range users {
		elements[i] = membership(u, "", nil)
		s.Changes = append(s.Changes, Change{Path: m.label(u), Op: "add", After: u})
	}
	m.change(&s, elements, true)
	s.Undo = Undo{Effect: Exact, How: "takes the " + plural(len(users), "person", "people") + " out of the organization"}
	return s
}

func (m *membershipWriter) leave(users []string) Step {
	s := m.step("members-removed", plural(len(users), "a member is", "members are")+" no longer declared")
	s.Request = Request{Method: "DELETE", Path: m.path(), Body: map[string]any{"members": anyList(users)}}
	s.Scopes = []string{"delete:organization_members"}
	var elements []any
	for _, e := range objects(m.o.Spec["members"]) {
		if slices.Contains(users, text(e, "user")) {
			elements = append(elements, e)
		}
	}
	for _, u := range users {
		s.Changes = append(s.Changes, Change{Path: m.label(u), Op: "remove", Before: u})
	}
	m.change(&s, elements, false)
	s.Undo = Undo{Effect: Exact, How: "takes the " + plural(len(users), "person", "people") + " in again, with the roles they had"}
	return s
}

// roles gives a member roles or takes them away.
func (m *membershipWriter) roles(user string, elements []any, add bool) Step {
	names, ids := make([]any, len(elements)), make([]any, len(elements))
	for i, e := range objects(elements) {
		names[i], ids[i] = e["role"], e["role_id"]
	}
	word := plural(len(names), "role", "roles")
	var s Step
	if add {
		s = m.step("roles-"+user, "the member lacks "+plural(len(names), "a declared role", "declared roles"))
		s.Request = Request{Method: "POST"}
		s.Scopes = []string{"create:organization_member_roles"}
		s.Changes = []Change{{Path: m.label(user) + ".roles", Op: "add", After: names, Set: true}}
		s.Undo = Undo{Effect: Exact, How: "takes the " + word + " away again"}
	} else {
		s = m.step("roles-"+user+"-removed", "the member has "+plural(len(names), "a role that is", "roles that are")+" no longer declared")
		s.Request = Request{Method: "DELETE"}
		s.Scopes = []string{"delete:organization_member_roles"}
		s.Changes = []Change{{Path: m.label(user) + ".roles", Op: "remove", Before: names, Set: true}}
		s.Undo = Undo{Effect: Exact, How: "gives the " + word + " back"}
	}
	s.Request.Path, s.Request.Body = m.path(user, "roles"), map[string]any{"roles": ids}
	m.change(&s, elements, add)
	return s
}
