package kind

import (
	"fmt"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// The reasons that every kind gives in the same words.
const (
	reasonMissing = "not on the tenant"
	reasonDiffers = "differs from the manifest"
	reasonGone    = "no longer wanted"
)

// collectionOf is where objects of a kind live: "clients".
type collectionOf struct {
	path   string // segment below /api/v2/
	id     string // the member of an answer that paths name the object by
	scopes Scopes
	// title is the object in a sentence: "the client".
	title string
}

// all reads the whole collection; member names its items in an answer.
func (c collectionOf) all(member string) Read {
	return Read{Path: c.path, List: member, Scopes: c.scopes.Read}
}

// newStep begins a step on part of d's object.
func newStep(d Desired, o Observed, part string, verb Verb, reason string) Step {
	s := Step{
		ID: StepID(d.Address(), part), Address: d.Address(), Part: part, Action: verb, Reason: reason,
		ObjectID: o.ID, Key: keyOf(d),
	}
	return s
}

// keyOf returns the part of the spec by which the object is found again.
func keyOf(d Desired) map[string]any {
	key := map[string]any{}
	for name, rule := range schemas.Rules(d.Kind).Properties {
		if v, ok := d.Spec[name]; ok && rule.Identity {
			key[name] = v
		}
	}
	return key
}

// self refers to an attribute of d's own object: its value if that is known, else
// the one that its creation will give.
func self(d Desired, o Observed, attr string) any {
	if o.Exists {
		return o.ID
	}
	return manifest.Ref(d.Address(), attr)
}

// createStep makes the write that creates d's object with body.
func (c collectionOf) createStep(d Desired, body map[string]any) Step {
	s := newStep(d, Observed{}, "", Create, reasonMissing)
	s.Request = Request{Method: "POST", Path: []any{c.path}, Body: body}
	s.Scopes = c.scopes.Create
	s.Outputs = []string{c.id}
	s.After = body
	s.Changes = added(d.Kind, body)
	s.Undo = Undo{Effect: Exact, How: "deletes " + c.title}
	return s
}

// updateStep makes the write that sends diff to the object at path.
func (c collectionOf) updateStep(d Desired, o Observed, diff difference, path ...any) Step {
	s := newStep(d, o, "", Update, reasonDiffers)
	s.Request = Request{Method: "PATCH", Path: path, Body: diff.body}
	s.Scopes = c.scopes.Update
	s.Before, s.After, s.Changes, s.Keeps = diff.before, diff.after, diff.changes, diff.keeps
	s.Merged, s.Released = diff.merged, diff.released
	s.Undo = Undo{Effect: Exact, How: "puts the former values back"}
	for _, f := range manifest.Keys(diff.before) {
		if diff.before[f] == nil && !clearable(schemas.Rules(d.Kind).Properties[f]) {
			s.Undo.lose(f + ", which was not set, can't be unset")
		}
		was, _ := diff.before[f].(map[string]any)
		is, _ := diff.after[f].(map[string]any)
		for _, k := range manifest.Keys(is) {
			sub := schemas.Rules(d.Kind).Properties[f].Field(k)
			if _, set := was[k]; len(was) > 0 && !set && sub != nil && !shared(schemas.Rules(d.Kind).Properties[f]) && !sub.HasAbsent {
				s.Undo.lose(f + "." + k + ", which was not set, can't be unset") // nested objects are merged (facts, recorded §2)
			}
		}
	}
	return s
}

// lose adds something that taking back does not bring back.
func (u *Undo) lose(what string) {
	u.Lost = append(u.Lost, what)
	u.How += "; " + what
}

// clearable says whether a field can be made as if it had never been set.
func clearable(rule *schemas.Rule) bool {
	return rule == nil || shared(rule) || rule.HasAbsent || rule.Allows("null")
}

// deleteStep makes the write that removes the object.
func (c collectionOf) deleteStep(d Desired, o Observed, undo Undo) Step {
	s := newStep(d, o, "", Delete, reasonGone)
	s.Request = Request{Method: "DELETE", Path: []any{c.path, o.ID}}
	s.Scopes = c.scopes.Delete
	s.Before = declarable(d.Kind, o.Spec)
	s.Changes = removed(d.Kind, s.Before)
	s.Undo = undo
	return s
}

// declarable returns those fields of an observed spec that a manifest could declare:
// what else a tenant tells of an object, such as a client's secret, is no part of a plan.
func declarable(kindName string, spec map[string]any) map[string]any {
	rules := schemas.Rules(kindName)
	out := map[string]any{}
	for f, v := range spec {
		if rules.Properties[f] != nil && v != nil {
			out[f] = v
		}
	}
	return out
}

// body returns the declared fields that belong to the API's object.
func body(d Desired) map[string]any {
	rules := schemas.Rules(d.Kind)
	out := map[string]any{}
	for name, v := range d.Spec {
		if rule := rules.Properties[name]; rule != nil && !rule.Local && !rule.WriteOnly && v != nil {
			out[name] = withoutNull(v)
		}
	}
	return out
}

// withoutNull leaves out the fields of an object that a manifest clears: of a new
// object there is nothing to clear, and Auth0 refuses null in most places.
func withoutNull(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for k, e := range m {
		if e != nil {
			out[k] = withoutNull(e)
		}
	}
	return out
}

// mergedIn lists, by field, the keys of shared collections that a creation brings.
func mergedIn(d Desired) map[string][]string {
	out := map[string][]string{}
	for name, rule := range schemas.Rules(d.Kind).Properties {
		if v, ok := d.Spec[name]; ok && shared(rule) {
			if keys := manifest.Keys(keyed(rule, v)); len(keys) > 0 {
				out[name] = keys
			}
		}
	}
	return out
}

// added lists the fields of a new object as changes, nested ones by their path.
func added(kindName string, spec map[string]any) []Change {
	return leaves(schemas.Rules(kindName), "", spec, func(path string, rule *schemas.Rule, v any) Change {
		return Change{Path: path, Op: "add", After: v, Code: rule.Text, Set: rule.Set}
	})
}

// removed lists the fields of an object that goes. Of a value that can't be read back
// there is nothing to show but its name.
func removed(kindName string, spec map[string]any) []Change {
	return leaves(schemas.Rules(kindName), "", spec, func(path string, rule *schemas.Rule, v any) Change {
		if rule.WriteOnly {
			return Change{Path: path, Op: "remove", Sensitive: true}
		}
		return Change{Path: path, Op: "remove", Before: v, Code: rule.Text, Set: rule.Set}
	})
}

func leaves(rule *schemas.Rule, path string, v any, f func(string, *schemas.Rule, any) Change) []Change {
	if rule == nil {
		rule = &schemas.Rule{}
	}
	if m, ok := v.(map[string]any); ok && isPlain(m) && len(m) > 0 {
		var out []Change
		for _, k := range manifest.Keys(m) {
			sub := rule.Field(k)
			p := k
			if path != "" {
				p = path + "." + k
			}
			out = append(out, leaves(sub, p, m[k], f)...)
		}
		return out
	}
	if len(rule.Merge) > 0 {
		es, _ := v.([]any)
		var out []Change
		for _, e := range es {
			out = append(out, f(path+"["+elementKey(rule, e)+"]", elementRule(rule, ""), e))
		}
		return out
	}
	return []Change{f(path, rule, v)}
}

// text returns a string member, "" if it is not there or no string.
func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

// known returns spec[name] as a string if it is one and not a reference.
func known(spec map[string]any, name string) (string, bool) {
	s, ok := spec[name].(string)
	return s, ok
}

// dig returns the member at a path of names.
func dig(m map[string]any, names ...string) any {
	var v any = m
	for _, n := range names {
		o, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = o[n]
	}
	return v
}

// objects returns the elements of a list that are objects.
func objects(v any) []map[string]any {
	es, _ := v.([]any)
	out := make([]map[string]any, 0, len(es))
	for _, e := range es {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// Ambiguous is the finding that more than one object fits.
type Ambiguous struct {
	What  string   // "clients named \"Acme\""
	Found []string // one line each
	Hint  string   // what to do
}

func (e *Ambiguous) Error() string {
	s := fmt.Sprintf("the tenant has %d %s:", len(e.Found), e.What)
	for _, f := range e.Found {
		s += "\n  - " + f
	}
	return s + "\n" + e.Hint
}

// Untouchable is the finding that an object must not be changed by anybody but Auth0.
type Untouchable struct{ What string }

func (e *Untouchable) Error() string {
	return e.What + " is a system object: Auth0 refuses every change to it. Take it out of the manifest, or only refer to it"
}
