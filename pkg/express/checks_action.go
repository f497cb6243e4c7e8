package express

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// action checks that the Action that runs at a login is the declared one.
func (v *verifier) action(app App) {
	suffix := v.suffix
	if v.several && app.Action.Address() == actionAddress {
		v.suffix = ""
	}
	defer func() { v.suffix = suffix }()
	r := app.Action
	v.declared("action", "The Action's code and runtime are as declared", r, "", func(c kind.Change) bool {
		return strings.HasPrefix(c.Path, "secrets.") || strings.HasSuffix(c.Path, " bindings")
	})
	found := v.State.Found(r)
	if !found.Exists {
		return
	}
	v.secrets(r)
	at := r.Address()
	a := v.State.Actions[found.ID]
	if a == nil {
		a = found.Object
	}
	built := Check{ID: "action.built", Title: "The Action is built", Address: at, Result: OK, Found: text(a, "status"), Expected: "built"}
	if built.Found != "built" {
		built.Result, built.Advice = Fail, "Look at the Action's build in the dashboard, then run 'ecplan apply'."
	}
	v.add(built)
	version, _ := a["deployed_version"].(map[string]any)
	live := version["deployed"] != false && version != nil
	deployed := Check{ID: "action.deployed", Title: "All of the Action is deployed", Address: at, Result: OK, Found: fmt.Sprintf("version %v", version["number"]), Expected: "every change deployed"}
	switch {
	case !live:
		deployed.Result, deployed.Found, deployed.Advice = Fail, "never deployed", adviceApply
	case a["all_changes_deployed"] != true:
		deployed.Result, deployed.Found, deployed.Advice = Fail, deployed.Found+"; the draft has changes that do not run", adviceApply
	}
	v.add(deployed)
	runs := Check{ID: "action.version", Title: "The version that runs is the declared one", Address: at, Result: OK, Expected: "the declared code"}
	want, declared := r.Spec["code"].(string)
	switch code, shows := version["code"].(string); {
	case !live:
		runs.Result = Skipped
	case !declared || !shows:
		runs.Result, runs.Found = Unknown, "the tenant does not show the code of the version that runs"
		runs.Advice = "Look at the Action's versions in the dashboard."
	case sameCode(code, want):
		runs.Found = deployed.Found
	default:
		runs.Result, runs.Found, runs.Advice = Fail, fmt.Sprintf("version %v runs other code", version["number"]), adviceApply
	}
	v.add(runs)
	v.bound(r, found.ID)
}

// undeclaredAction looks for an Action that sets what Okta goes by, where the manifests
// declare none: somebody else may look after it.
func (v *verifier) undeclaredAction(app App) {
	c := Check{
		ID: "action", Title: "An Action puts the application's claims into Okta's tokens", Address: app.Client.Address(), Result: Fail,
		Found: "the manifests declare none, and none that is bound to post-login sets sp_client_id", Expected: "an Action",
		Advice: "Declare the guide's Action: ExpressConfiguration has it. Without it no token carries the claims that Okta needs.",
	}
	for _, b := range v.State.Flow {
		bound, _ := b["action"].(map[string]any)
		a := v.State.Actions[text(bound, "id")]
		version, _ := a["deployed_version"].(map[string]any)
		if strings.Contains(text(version, "code"), "sp_client_id") {
			c.Result, c.Found = Unknown, "the manifests declare none; "+text(a, "name")+", bound to post-login, has to do with it"
			c.Advice = "Declare it, with its secrets, to have it checked; 'ecplan rehearse --tenant' shows whether it works."
		}
	}
	v.add(c)
}

// sameCode compares as planning does: blank lines at both ends don't count.
func sameCode(a, b string) bool {
	return strings.TrimSpace(strings.ReplaceAll(a, "\r\n", "\n")) == strings.TrimSpace(strings.ReplaceAll(b, "\r\n", "\n"))
}

// secrets checks each secret of the Action. Values can't be read back: where no record
// tells, the answer is unknown.
func (v *verifier) secrets(r *manifest.Resource) {
	want, _ := r.Spec["secrets"].(map[string]any)
	changes := map[string]kind.Change{}
	for _, s := range v.steps(r) {
		for _, c := range s.Changes {
			if name, ok := strings.CutPrefix(c.Path, "secrets."); ok {
				changes[name] = c
			}
		}
	}
	for _, name := range manifest.Keys(want) {
		c := Check{ID: "action.secret." + name, Title: "The Action's secret " + name + " is as declared", Address: r.Address(), Result: OK}
		change, differs := changes[name]
		switch {
		case !differs:
		case change.Op == "add":
			c.Result, c.Found, c.Expected, c.Advice = Fail, "not there", "set", adviceApply
		case strings.Contains(change.Note, "no record"):
			c.Result, c.Found = Unknown, "set, but nobody can read its value back, and no record tells what was set last"
			c.Advice = "Run 'ecplan apply' from here to set it and keep a record, or say assume_secrets: unchanged in the manifest's metadata."
		default:
			c.Result, c.Found, c.Expected, c.Advice = Fail, change.Note, "the declared value", adviceApply
		}
		v.add(c)
	}
	var more []string
	for _, name := range manifest.Keys(changes) {
		if _, declared := want[name]; !declared {
			more = append(more, name)
		}
	}
	if len(more) > 0 {
		v.add(Check{
			ID: "action.secrets", Title: "The Action has no other secrets", Address: r.Address(), Result: Warn,
			Found: strings.Join(more, ", "), Advice: "Declare them, or let 'ecplan apply' remove them.",
		})
	}
}

// bound checks the Action's place in the login flow.
func (v *verifier) bound(r *manifest.Resource, id string) {
	c := Check{ID: "action.bound", Title: "The Action runs at every login, at its place", Address: r.Address(), Result: OK}
	var flow []string
	at := -1
	for i, b := range v.State.Flow {
		action, _ := b["action"].(map[string]any)
		flow = append(flow, text(action, "name"))
		if text(action, "id") == id {
			at = i
		}
	}
	c.Found = strings.Join(flow, " → ")
	steps := v.steps(r, "binding")
	switch _, wanted := r.Spec["bind"]; {
	case !wanted && at < 0:
		c.Result, c.Found, c.Expected = Fail, "the manifest does not bind it, and nobody has", "bound to post-login"
		c.Advice = "Without it no token carries the claims that Okta needs. Declare its bind (in an ExpressConfiguration: take bind: null out) and apply."
	case !wanted:
		c.Result, c.Found = Warn, "bound by somebody; the manifest does not bind it"
		c.Advice = "Who unbinds it is not noticed. Declare its bind, or take bind: null out of the manifest."
	case at < 0:
		c.Result, c.Expected, c.Advice = Fail, "bound to post-login", adviceApply
		if c.Found == "" {
			c.Found = "no Action is bound to post-login"
		} else {
			c.Found = "bound are only: " + c.Found
		}
	case len(steps) > 0:
		c.Result, c.Advice = Fail, adviceApply
		for _, change := range steps[0].Changes {
			if names, isList := change.After.([]any); isList {
				c.Expected = order(names)
			} else {
				c.Found, c.Expected = fmt.Sprintf("%s; shown as %v", c.Found, change.Before), fmt.Sprintf("shown as %v", change.After)
			}
		}
	}
	v.add(c)
}

func order(list []any) string {
	var names []string
	for _, n := range list {
		names = append(names, fmt.Sprint(n))
	}
	return strings.Join(slices.Clip(names), " → ")
}
