package auth0sim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// Limits of A0-LIM and A0-ACT, facts §3.6.
const (
	maxActions      = 100
	maxBindings     = 20
	maxVersions     = 50
	maxSecrets      = 30
	maxSecretName   = 128
	maxSecretValue  = 4096
	maxDependencies = 10
	maxCode         = 100_000
)

// runtimes were all accepted for real, at one time or another (facts §3.6).
var runtimes = []string{"node12", "node16", "node18", "node18-actions", "node22"}

type (
	// action is the draft; what runs is the version that deployed names.
	action struct {
		record            // name, supported_triggers, code, dependencies, runtime, times
		secrets  []secret // of the draft
		building time.Time
		saved    bool // all_changes_deployed
		versions []*version
		deployed string // version id; "" never deployed
	}
	secret struct{ name, value, updatedAt string }

	// version is a frozen draft. Its secrets are its own (facts §3.6).
	version struct {
		record  // number, code, dependencies, runtime, supported_triggers, times
		secrets []secret
		live    time.Time // when it has been deployed; until then bindings are refused
		broken  bool      // made by a create with deploy:true, and can't be built
	}
)

func noAction() answer { return failure(http.StatusNotFound, "", "That action does not exist.") } // REC-tf

// showSecrets never shows a value (facts §3.6).
func showSecrets(all []secret) []any {
	out := make([]any, len(all))
	for i, s := range all {
		out[i] = obj{"name": s.name, "updated_at": s.updatedAt}
	}
	return out
}

// brief is what versions and bindings embed of an action.
func (a *action) brief() obj {
	return obj{
		"id": a.id, "name": a.o["name"], "supported_triggers": a.o["supported_triggers"],
		"created_at": a.o["created_at"], "updated_at": a.o["updated_at"], "all_changes_deployed": false,
	}
}

func (a *action) version(id string) (*version, bool) {
	i := slices.IndexFunc(a.versions, func(v *version) bool { return v.id == id })
	if i < 0 {
		return nil, false
	}
	return a.versions[i], true
}

// showVersion renders a version; status is that of its build.
func showVersion(v *version, status string, deployed bool) obj {
	o := maps.Clone(v.o)
	o["id"], o["secrets"], o["status"], o["deployed"] = v.id, showSecrets(v.secrets), status, deployed
	return o
}

// addVersions adds the two version objects of a deployed action: they differ in
// shape and case (REC-tf Action #12).
func (c *call) addVersions(o obj, a *action) {
	v, found := a.version(a.deployed)
	if !found {
		return
	}
	status := c.versionStatus(v)
	deployed := showVersion(v, status, c.isDeployed(v, status))
	if status == "built" {
		deployed["built_at"] = v.o["updated_at"]
		o["current_version"] = obj{
			"id": v.id, "code": v.o["code"], "runtime": v.o["runtime"], "status": "BUILT", "number": v.o["number"],
			"build_time": v.o["updated_at"], "created_at": v.o["created_at"], "updated_at": v.o["updated_at"],
		}
	}
	o["deployed_version"] = deployed
}

func (c *call) showAction(a *action, status string) obj {
	o := maps.Clone(a.o)
	o["id"], o["status"], o["secrets"], o["all_changes_deployed"] = a.id, status, showSecrets(a.secrets), a.saved
	c.addVersions(o, a)
	return o
}

func (c *call) listActions() answer {
	q := c.query
	items, _ := listing(c, c.t.actions.all, func(a *action) bool {
		if name := q.Get("actionName"); name != "" && a.field("name") != name { // exact (facts §3.6)
			return false
		}
		if trigger := q.Get("triggerId"); trigger != "" && a.trigger() != trigger {
			return false
		}
		if d := q.Get("deployed"); d != "" && a.saved != (d == "true") {
			// The CLI lists deployed=false to find what there is to deploy: an action
			// with undeployed changes is not deployed. UNCONFIRMED.
			return false
		}
		if i := q.Get("installed"); i != "" && (a.o["installed_integration_id"] != nil) != (i == "true") {
			return false
		}
		return true
	}, func(a *action) obj { return c.showAction(a, c.draftStatus(a)) })
	return c.sparsePage("actions", items)
}

func (a *action) trigger() string {
	for _, t := range list(a.o["supported_triggers"]) {
		return str(object(t)["id"])
	}
	return ""
}

func (c *call) createAction() answer {
	if len(c.t.actions.all) >= maxActions {
		return failure(http.StatusForbidden, "", "You reached the limit of entities of this type for this tenant.") // the limit: A0-LIM
	}
	o := c.body
	deploy := truth(o["deploy"])
	delete(o, "deploy")
	a := &action{record: c.newRecord(c.t.draw.uuid(), obj{})}
	if fail := c.applyAction(a, o, "CreateActionRequest"); fail != nil {
		return *fail
	}
	defaults(a.o, obj{"code": "", "dependencies": []any{}, "runtime": "node22"}) // REC-tf ActionWithSecretsWO
	if a.secrets == nil {
		a.secrets = []secret{}
	}
	a.o["created_at"] = a.o["updated_at"]
	c.t.actions.add(a)
	if deploy { // facts §3.6, REC-go TestActionManager_CreateWithDeploy
		v := c.newVersion(a, a.o, a.secrets)
		v.live, v.broken = c.buildEnd(a), c.fails(a.o)
		a.deployed, a.saved = v.id, true
		shown := c.showAction(a, "pending")
		shown["deployed_version"] = showVersion(v, "pending", true)
		delete(shown, "current_version")
		return created(shown)
	}
	return created(c.showAction(a, "pending"))
}

// applyAction lays a body over a draft and starts its build. No two names need
// differ: whether they must is UNCONFIRMED (facts §3.6).
func (c *call) applyAction(a *action, o obj, request string) *answer {
	invalid := func(what string) *answer {
		x := badRequest("", "invalid %s.%s", request, what)
		return &x
	}
	if name, given := o["name"].(string); given && name == "" {
		return invalid("Name: value length must be at least 1 runes") // UNCONFIRMED
	}
	if what := invalidDraft(o); what != "" {
		return invalid("Draft: embedded message failed validation | caused by: invalid DraftInformation." + what)
	}
	if o["runtime"] == "" { // auth0-cli's "actions create" without --runtime
		delete(o, "runtime")
	}
	if runtime, given := o["runtime"].(string); given && !slices.Contains(runtimes, runtime) {
		x := badRequest("", "runtime is not supported") // terraform #286
		return &x
	}
	if triggers := list(o["supported_triggers"]); len(triggers) > 0 {
		if len(triggers) > 1 {
			return invalid("SupportedTriggers: value must contain no more than 1 item(s)") // OAS: "can only target a single trigger"
		}
		t, fail := c.readTrigger(object(triggers[0]))
		if fail != nil {
			return fail
		}
		if a.trigger() != "" && a.trigger() != str(t["id"]) {
			x := badRequest("", "can't upgrade to this trigger.") // auth0-cli #462
			return &x
		}
		o["supported_triggers"] = []any{t}
	}
	now := stampNano(c.now)
	if given, has := o["secrets"]; has {
		// The list is the new whole (facts §3.6). A name without a value is UNCONFIRMED;
		// its value is empty then, so that a client that counts on more shows.
		secrets := []secret{}
		for _, x := range list(given) {
			x := object(x)
			s := secret{str(x["name"]), str(x["value"]), now}
			secrets = slices.DeleteFunc(secrets, func(had secret) bool { return had.name == s.name })
			secrets = append(secrets, s)
		}
		a.secrets = secrets
	}
	for k, v := range o {
		if k != "secrets" && v != nil { // a seed may hold null
			a.o[k] = v
		}
	}
	a.o["updated_at"] = now
	a.building, a.saved = c.now, false
	return nil
}

// invalidDraft is what the service behind /actions finds wrong with a draft. The words
// about a secret's name and a module's version are recorded (deploy-cli #583, #1338);
// the others, in their style, are UNCONFIRMED.
func invalidDraft(o obj) string {
	const embedded = "%s[%d]: embedded message failed validation | caused by: invalid %s"
	if len(str(o["code"])) > maxCode {
		return fmt.Sprintf("Code: value length must be at most %d bytes", maxCode)
	}
	if len(list(o["dependencies"])) > maxDependencies {
		return fmt.Sprintf("Dependencies: value must contain no more than %d item(s)", maxDependencies)
	}
	if len(list(o["secrets"])) > maxSecrets {
		return fmt.Sprintf("Secrets: value must contain no more than %d item(s)", maxSecrets)
	}
	for i, x := range list(o["secrets"]) {
		x := object(x)
		if n := utf8.RuneCountInString(str(x["name"])); n < 1 || n > maxSecretName {
			return fmt.Sprintf(embedded, "Secrets", i, fmt.Sprintf("NameValueOptional.Name: value length must be between 1 and %d runes, inclusive", maxSecretName))
		}
		if utf8.RuneCountInString(str(x["value"])) > maxSecretValue {
			return fmt.Sprintf(embedded, "Secrets", i, fmt.Sprintf("NameValueOptional.Value: value length must be at most %d runes", maxSecretValue))
		}
	}
	for i, x := range list(o["modules"]) {
		for _, f := range [][2]string{{"module_id", "ModuleId"}, {"module_version_id", "ModuleVersionId"}} {
			if !isUUID(str(object(x)[f[0]])) {
				return fmt.Sprintf(embedded, "Modules", i, "ModuleRef."+f[1]+": value must be a valid UUID | caused by: invalid uuid format")
			}
		}
	}
	return ""
}

var isUUID = matching(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func (c *call) theAction(param string) (*action, *answer) {
	a, found := c.t.actions.get(c.params[param])
	if !found {
		fail := noAction()
		return nil, &fail
	}
	return a, nil
}

func (c *call) getAction() answer {
	a, fail := c.theAction("id")
	if fail != nil {
		return *fail
	}
	return ok(c.showAction(a, c.draftStatus(a)))
}

func (c *call) updateAction() answer {
	a, fail := c.theAction("id")
	if fail != nil {
		return *fail
	}
	next := *a // a refused PATCH changes nothing
	next.o = clone(a.o)
	if fail := c.applyAction(&next, c.body, "UpdateActionRequest"); fail != nil {
		return *fail
	}
	*a = next
	return ok(c.showAction(a, "pending"))
}

func (c *call) deleteAction() answer {
	a, fail := c.theAction("id")
	if fail != nil {
		return *fail // 404 again (facts §3.0)
	}
	bound := func(b *binding) bool { return b.action == a.id }
	for trigger, all := range c.t.bindings {
		if !slices.ContainsFunc(all, bound) {
			continue
		}
		if c.query.Get("force") != "true" {
			return failure(http.StatusConflict, "", "Unable to delete an action bound to a trigger.") // terraform #64, #1550
		}
		c.t.bindings[trigger] = slices.DeleteFunc(all, bound) // OAS: "detaching bindings"
	}
	c.t.actions.remove(a.id)
	return noContent()
}

// testAction answers with an empty result: nothing runs here.
func (c *call) testAction() answer {
	if _, fail := c.theAction("id"); fail != nil {
		return *fail
	}
	return ok(obj{"payload": obj{}})
}

func (c *call) getExecution() answer {
	return failure(http.StatusNotFound, "", "The execution does not exist.") // OAS; nothing ever runs here
}
