package kind

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// Action is code that runs at a trigger, with its secrets, its deployment and its
// place in the trigger's flow (facts §3.6). It is found by its name. What the API
// keeps as lists of name and value are maps here.
var actions = collectionOf{
	path: "actions", id: "id", title: "the Action",
	scopes: Scopes{
		Read:   []string{"read:actions"},
		Create: []string{"create:actions"},
		Update: []string{"update:actions"},
		Delete: []string{"delete:actions"},
	},
}

func action() *Kind {
	return &Kind{
		Name: "Action", Rank: 50, Scopes: actions.scopes,
		List:    Read{Path: "actions/actions", List: "actions", Scopes: actions.scopes.Read},
		Observe: observeAction,
		Found:   foundAction,
		Steps:   actionSteps,
		Finish:  bindingSteps,
		Delete:  deleteAction,
		Restore: restoreAction,
		Notices: actionNotices,
	}
}

func observeAction(d Desired, v *View) (Observed, error) {
	name, ok := known(d.Spec, "name")
	if !ok {
		return Observed{Pending: d.Waiting}, nil
	}
	names := []string{name}
	if d.Meta.RenamedFrom != "" {
		names = append(names, d.Meta.RenamedFrom)
	}
	found, ok := findByName(v, names, func(n string) Read {
		r := Read{Path: "actions/actions", List: "actions", Scopes: actions.scopes.Read, For: d.Address()}
		if !v.Many(d.Kind) {
			r.Query = url.Values{"actionName": {n}}.Encode()
		}
		return r
	})
	trigger, _ := known(d.Spec, "trigger")
	bound, boundKnown := []any(nil), true
	if flows(d) {
		bound, boundKnown = bindingsOf(d, v, trigger)
	}
	versions := true
	if ok && len(found) == 0 && triggerVersions[trigger] == "" {
		_, versions = v.Items(triggersRead(d))
	}
	if !ok || !boundKnown || !versions {
		return Observed{Pending: true}, nil
	}
	if len(found) > 1 { // whether names are unique is UNCONFIRMED (facts §3.6)
		lines := make([]string, len(found))
		for i, a := range found {
			lines[i] = fmt.Sprintf("%s (%s)", text(a, "id"), triggerOf(a))
		}
		return Observed{}, &Ambiguous{What: fmt.Sprintf("Actions named %q", name), Found: lines, Hint: "Rename or delete all but one, and plan again."}
	}
	if len(found) == 0 {
		spec := map[string]any{}
		if flows(d) {
			spec["bindings"] = bound
		}
		if triggerVersions[trigger] == "" {
			current, err := currentTrigger(d, v, trigger)
			if err != nil {
				return Observed{}, err
			}
			spec["trigger_version"] = current
		}
		return Observed{Spec: spec}, nil
	}
	a := found[0]
	spec := map[string]any{
		"name": a["name"], "trigger": triggerOf(a), "runtime": a["runtime"], "code": a["code"],
		"dependencies":         pairs(a["dependencies"], "version"),
		"secrets":              pairs(a["secrets"], "updated_at"),
		"all_changes_deployed": a["all_changes_deployed"],
	}
	if dv, ok := a["deployed_version"].(map[string]any); ok {
		spec["deployed_version"] = map[string]any{"id": dv["id"], "number": dv["number"]}
	}
	if flows(d) {
		spec["bindings"] = bound
	}
	return Observed{Exists: true, ID: text(a, "id"), Object: a, Spec: spec}, nil
}

// triggerVersions are the current versions of triggers that sources name; others are
// read from the tenant (facts §3.6).
var triggerVersions = map[string]string{"post-login": "v3"}

func triggersRead(d Desired) Read {
	return Read{Path: "actions/triggers", List: "triggers", Scopes: actions.scopes.Read, For: d.Address()}
}

func currentTrigger(d Desired, v *View, trigger string) (string, error) {
	items, _ := v.Items(triggersRead(d))
	var have []string
	for _, t := range items {
		if text(t, "id") == trigger && text(t, "status") == "CURRENT" {
			return text(t, "version"), nil
		}
		if id := text(t, "id"); !slices.Contains(have, id) {
			have = append(have, id)
		}
	}
	return "", fmt.Errorf("the tenant has no current version of the trigger %q; it has %s", trigger, listed(have))
}

func triggerOf(a map[string]any) string {
	for _, t := range objects(a["supported_triggers"]) {
		return text(t, "id")
	}
	return ""
}

// pairs makes a map of a list of objects with a name and one member more.
func pairs(v any, member string) map[string]any {
	out := map[string]any{}
	for _, p := range objects(v) {
		out[text(p, "name")] = p[member]
	}
	return out
}

func unpair(m map[string]any, member string) []any {
	out := make([]any, 0, len(m))
	for _, name := range manifest.Keys(m) {
		out = append(out, map[string]any{"name": name, member: m[name]})
	}
	return out
}

func wantsDeploy(d Desired) bool {
	deploy, given := d.Spec["deploy"].(bool)
	return deploy || !given
}

func actionSteps(d Desired, o Observed) ([]Step, error) {
	if !o.Exists {
		return createAction(d, o), nil
	}
	if want, _ := known(d.Spec, "trigger"); want != text(o.Spec, "trigger") {
		return nil, fmt.Errorf("the Action %q is on the tenant for the trigger %s, and Auth0 can't move it to %s. Give the new one another name, or delete the old one first", text(o.Spec, "name"), text(o.Spec, "trigger"), want)
	}
	diff := compareAction(d, o)
	var steps []Step
	undo := redeployUndo(o)
	before := map[string]any{"deployed_version": o.Spec["deployed_version"]}
	if len(diff.changes) > 0 {
		s := newStep(d, o, "", Update, reasonDiffers)
		s.Request = Request{Method: "PATCH", Path: []any{"actions", "actions", o.ID}, Body: diff.body}
		s.Scopes = actions.scopes.Update
		s.Outputs = []string{"id", "secrets"}
		s.Changes, s.Before, s.After = diff.changes, diff.before, diff.after
		maps.Copy(s.Before, before)
		if unreadableOnly(diff.changes) {
			s.Reason = "the values of its secrets can't be read back, and no record tells what was set last"
			if known := slices.ContainsFunc(diff.changes, func(c Change) bool { return c.Note != noteUnknown }); known {
				s.Reason = "a secret differs from what was set last"
			}
		}
		if _, sets := diff.body["secrets"]; sets {
			for _, n := range manifest.Keys(d.Spec["secrets"].(map[string]any)) {
				s.Sets = append(s.Sets, "secrets."+n)
			}
		}
		s.Await = &Await{
			What: "the new draft to be built", Path: s.Request.Path,
			Done: map[string]any{"status": "built"}, Fail: map[string]any{"status": "failed"},
		}
		s.Undo = undo
		steps = append(steps, s)
	}
	if wantsDeploy(d) && (len(steps) > 0 || o.Spec["all_changes_deployed"] != true || o.Spec["deployed_version"] == nil) {
		s := newStep(d, o, "deployment", Deploy, "the draft is not what runs")
		if len(steps) > 0 {
			s.Reason = "the new draft must run at login"
		}
		s.Request = Request{Method: "POST", Path: []any{"actions", "actions", o.ID, "deploy"}}
		s.Scopes = actions.scopes.Create
		s.Needs = []string{d.Address()}
		s.Before = before
		s.After = map[string]any{"all_changes_deployed": true}
		s.Await = deployed([]any{"actions", "actions", o.ID})
		s.Undo = undo
		steps = append(steps, s)
	}
	return steps, nil
}

func createAction(d Desired, o Observed) []Step {
	trigger := text(d.Spec, "trigger")
	version := triggerVersions[trigger]
	if version == "" {
		version = text(o.Spec, "trigger_version")
	}
	b := body(d)
	b["supported_triggers"] = []any{map[string]any{"id": trigger, "version": version}}
	delete(b, "trigger")
	shown := added(d.Kind, without(body(d), "secrets"))
	s := actions.createStep(d, b)
	s.Request.Path = []any{"actions", "actions"}
	s.Outputs = []string{"id", "secrets"}
	s.After = map[string]any{}
	for _, f := range []string{"name", "trigger", "runtime", "code", "dependencies", "secrets"} {
		if v, ok := d.Spec[f]; ok {
			s.After[f] = v
		}
	}
	if m, ok := d.Spec["dependencies"].(map[string]any); ok {
		b["dependencies"] = unpair(m, "version")
		for _, n := range manifest.Keys(m) {
			shown = append(shown, Change{Path: "dependencies." + n, Op: "add", After: m[n]})
		}
	}
	if m, ok := d.Spec["secrets"].(map[string]any); ok {
		b["secrets"] = unpair(m, "value")
		for _, n := range manifest.Keys(m) {
			shown = append(shown, secretChange(n, "add", m[n], ""))
			s.Sets = append(s.Sets, "secrets."+n)
		}
	}
	s.Changes = shown
	path := []any{"actions", "actions", manifest.Ref(d.Address(), "id")}
	if wantsDeploy(d) {
		b["deploy"] = true
		s.Await = deployed(path)
	}
	s.Undo.How = "deletes the Action"
	return []Step{s}
}

func deployed(path []any) *Await {
	return &Await{
		What: "the Action to be built and deployed", Path: path,
		Done: map[string]any{"status": "built", "deployed_version.deployed": true, "deployed_version.status": "built", "all_changes_deployed": true},
		Fail: map[string]any{"status": "failed"},
	}
}

// NoteNewValue is the note of a secret that is declared with another value than was set
// last, the tenant having it as it was set.
const NoteNewValue = "differs from what was set last"

const noteUnknown = "can't be read back; no record of what was set last"

func secretChange(name, op string, v any, note string) Change {
	_, sensitive := manifest.AsSecret(v)
	return Change{Path: "secrets." + name, Op: op, After: v, Sensitive: sensitive, Note: note}
}

func unreadableOnly(changes []Change) bool {
	return !slices.ContainsFunc(changes, func(c Change) bool { return !strings.HasPrefix(c.Path, "secrets.") })
}

// compareAction compares draft and manifest. Dependencies and secrets are whole
// values: Auth0 replaces the lists.
func compareAction(d Desired, o Observed) difference {
	diff := difference{body: map[string]any{}, before: map[string]any{}, after: map[string]any{}}
	put := func(field string, sent any, changes ...Change) {
		if len(changes) == 0 {
			return
		}
		diff.changes = append(diff.changes, changes...)
		diff.body[field], diff.before[field], diff.after[field] = sent, o.Spec[field], d.Spec[field]
	}
	for _, f := range []string{"name", "runtime", "code"} {
		want, declared := d.Spec[f]
		if declared && !(f == "runtime" && sameRuntime(want, o.Spec[f])) {
			put(f, want, compareValue(f, schemas.Rules(d.Kind).Properties[f], want, o.Spec[f], o.Spec[f] != nil)...)
		}
	}
	if want, declared := d.Spec["dependencies"].(map[string]any); declared {
		have, _ := o.Spec["dependencies"].(map[string]any)
		put("dependencies", unpair(want, "version"), mapChanges("dependencies.", want, have)...)
	}
	if want, declared := d.Spec["secrets"].(map[string]any); declared {
		put("secrets", unpair(want, "value"), secretChanges(d, o, want)...)
	}
	return diff
}

// sameRuntime takes node18 and node18-actions for one (facts, recorded §6).
func sameRuntime(a, b any) bool {
	x, _ := a.(string)
	y, _ := b.(string)
	return strings.TrimSuffix(x, "-actions") == strings.TrimSuffix(y, "-actions")
}

func mapChanges(prefix string, want, have map[string]any) []Change {
	var out []Change
	for _, k := range manifest.Keys(want) {
		if hv, ok := have[k]; !ok {
			out = append(out, Change{Path: prefix + k, Op: "add", After: want[k]})
		} else if hv != want[k] {
			out = append(out, Change{Path: prefix + k, Op: "change", Before: hv, After: want[k]})
		}
	}
	for _, k := range manifest.Keys(have) {
		if _, ok := want[k]; !ok {
			out = append(out, Change{Path: prefix + k, Op: "remove", Before: have[k]})
		}
	}
	return out
}

// secretChanges compares values that nobody can read: by the fingerprint of what
// was set last together with the time that the tenant reports for it (DESIGN §5).
func secretChanges(d Desired, o Observed, want map[string]any) []Change {
	have, _ := o.Spec["secrets"].(map[string]any)
	var out []Change
	for _, n := range manifest.Keys(want) {
		at, present := have[n]
		if !present {
			out = append(out, secretChange(n, "add", want[n], ""))
			continue
		}
		rec, recorded := d.Record.Secrets["secrets."+n]
		switch {
		case !recorded && d.Meta.AssumeSecretsUnchanged:
		case !recorded:
			out = append(out, secretChange(n, "change", want[n], noteUnknown))
		case rec.Fingerprint != d.Fingerprint(d.reveal(want[n])) && rec.UpdatedAt != at:
			out = append(out, secretChange(n, "change", want[n], NoteNewValue+", and set by someone else since"))
		case rec.Fingerprint != d.Fingerprint(d.reveal(want[n])):
			out = append(out, secretChange(n, "change", want[n], NoteNewValue))
		case rec.UpdatedAt != at:
			out = append(out, secretChange(n, "change", want[n], "set by someone else since"))
		}
	}
	for _, n := range releasedSecrets(d, o) {
		out = append(out, Change{Path: "secrets." + n, Op: "remove", Sensitive: true, Note: "no longer declared"})
	}
	if len(out) > 0 {
		for _, n := range lostSecrets(d, o) {
			out = append(out, Change{Path: "secrets." + n, Op: "remove", Sensitive: true, Note: "not declared; its value is lost for good"})
		}
	}
	return out
}

// releasedSecrets lists the secrets that the manifest does not declare and that go: those
// that a run set and nobody since, as all that a run added does, and those of which the
// manifest knows that nothing is lost with them.
func releasedSecrets(d Desired, o Observed) []string {
	return undeclaredSecrets(d, o, true)
}

// lostSecrets lists the undeclared secrets of others, which replacing the list would lose.
func lostSecrets(d Desired, o Observed) []string {
	return undeclaredSecrets(d, o, false)
}

func undeclaredSecrets(d Desired, o Observed, ours bool) []string {
	want, _ := d.Spec["secrets"].(map[string]any)
	have, _ := o.Spec["secrets"].(map[string]any)
	var out []string
	for _, n := range manifest.Keys(have) {
		rec, recorded := d.Record.Secrets["secrets."+n]
		released := recorded && rec.UpdatedAt == have[n] || slices.Contains(d.Meta.Outdated, "secrets."+n)
		if _, declared := want[n]; !declared && ours == released {
			out = append(out, n)
		}
	}
	return out
}

// redeployUndo tells whether an Action can be taken back: deploying the former
// version brings back its code and its secrets' values, if all was deployed (facts §3.6).
func redeployUndo(o Observed) Undo {
	if o.Spec["all_changes_deployed"] == true && o.Spec["deployed_version"] != nil {
		return Undo{Effect: Exact, How: fmt.Sprintf("deploys version %v again, with its code and its secrets' values", dig(o.Spec, "deployed_version", "number"))}
	}
	if o.Spec["deployed_version"] != nil {
		return Undo{Effect: None, How: "the draft that was never deployed is replaced; what runs at login can be deployed again"}
	}
	return Undo{Effect: None, How: "the Action was never deployed: there is no version to go back to"}
}

func actionNotices(d Desired, o Observed) []Notice {
	out := flowNotices(d, o)
	want, declared := d.Spec["secrets"].(map[string]any)
	if !o.Exists || !declared {
		return out
	}
	changes := secretChanges(d, o, want)
	if lost := lostSecrets(d, o); len(lost) > 0 && len(changes) > 0 {
		out = append(out, Notice{
			ID: "secret-loss", Address: d.Address(), Level: Refusal,
			Summary: "Writing the secrets would lose " + count(len(lost), "secret", "secrets") + " that the manifest does not declare: " + listed(lost),
			Detail:  "Auth0 can only replace an Action's secrets as a whole, and their values can't be read back. Declare them too, or acknowledge the loss: metadata.acknowledge: {secret-loss: why}.",
		})
	}
	if d.Meta.AssumeSecretsUnchanged && slices.ContainsFunc(manifest.Keys(want), func(n string) bool {
		_, recorded := d.Record.Secrets["secrets."+n]
		return !recorded
	}) {
		out = append(out, Notice{
			ID: "secrets-assumed", Address: d.Address(), Level: Info,
			Summary: "The values of the Action's secrets are taken as unchanged, as the manifest says",
			Detail:  "No record tells what was set last. Without assume_secrets: unchanged they would be set again.",
		})
	}
	return out
}
