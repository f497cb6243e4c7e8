package auth0sim

import (
	"fmt"
	"slices"
	"strings"
)

// binding is an Action's place in a trigger's flow.
type binding struct {
	record // created_at, updated_at, display_name
	action string
}

// trigger is one version of an extensibility point (facts §3.6; REC-go of 2023
// lists them, with today's runtimes put in).
type trigger struct{ id, version, status string }

var triggers = []trigger{
	{"post-login", "v1", "DEPRECATED"},
	{"post-login", "v2", "DEPRECATED"},
	{"post-login", "v3", "CURRENT"},
	{"credentials-exchange", "v1", "DEPRECATED"},
	{"credentials-exchange", "v2", "CURRENT"},
	{"pre-user-registration", "v1", "DEPRECATED"},
	{"pre-user-registration", "v2", "CURRENT"},
	{"post-user-registration", "v1", "DEPRECATED"},
	{"post-user-registration", "v2", "CURRENT"},
	{"post-change-password", "v1", "DEPRECATED"},
	{"post-change-password", "v2", "CURRENT"},
	{"send-phone-message", "v1", "DEPRECATED"},
	{"send-phone-message", "v2", "CURRENT"},
	{"password-reset-post-challenge", "v1", "CURRENT"},
	{"login-post-identifier", "v1", "CURRENT"},
	{"signup-post-identifier", "v1", "CURRENT"},
	{"custom-phone-provider", "v1", "CURRENT"},
	{"custom-email-provider", "v1", "CURRENT"},
	{"custom-token-exchange", "v1", "CURRENT"},
	{"event-stream", "v1", "CURRENT"},
	{"password-hash-migration", "v1", "CURRENT"},
}

// entityBound triggers have no list of bindings (facts §3.6).
var entityBound = map[string]bool{
	"custom-phone-provider": true, "custom-email-provider": true, "custom-token-exchange": true, "event-stream": true, "password-hash-migration": true,
}

func (t trigger) show() obj {
	policy := "trigger-bound"
	if entityBound[t.id] {
		policy = "entity-bound"
	}
	return obj{
		"id": t.id, "version": t.version, "status": t.status, "runtimes": []any{"node18-actions", "node22"},
		"default_runtime": "node22", "binding_policy": policy, "compatible_triggers": []any{},
	}
}

// readTrigger checks a trigger of an action and fills in its current version.
func (c *call) readTrigger(t obj) (obj, *answer) {
	id, version := str(t["id"]), str(t["version"])
	for _, known := range triggers {
		if known.id == id && (known.version == version || version == "" && known.status == "CURRENT") {
			return obj{"id": id, "version": known.version}, nil
		}
	}
	a := badRequest("", "invalid trigger version: %s", strings.TrimSpace(id+" "+version)) // wording UNCONFIRMED
	return nil, &a
}

func (c *call) listTriggers() answer {
	out := make([]obj, len(triggers))
	for i, t := range triggers {
		out[i] = t.show()
	}
	return ok(obj{"triggers": out})
}

// showBinding embeds a snapshot of the action that is stale on purpose: updated_at
// is created_at and all_changes_deployed false (REC-tf TriggerAction).
func (c *call) showBinding(trigger string, b *binding) obj {
	o := obj{"id": b.id, "trigger_id": trigger, "created_at": b.o["created_at"], "updated_at": b.o["updated_at"], "display_name": b.o["display_name"]}
	if a, found := c.t.actions.get(b.action); found {
		brief := a.brief()
		brief["updated_at"] = brief["created_at"]
		c.addVersions(brief, a)
		o["action"] = brief
	}
	return o
}

func (c *call) checkTrigger() *answer {
	if entityBound[c.params["triggerId"]] {
		a := badRequest("", "cannot list action bindings for an entity-bound trigger") // facts §3.6
		return &a
	}
	return nil
}

func (c *call) showBindings(trigger string) []obj {
	items := []obj{}
	for _, b := range c.t.bindings[trigger] {
		items = append(items, c.showBinding(trigger, b))
	}
	return items
}

func (c *call) listBindings() answer {
	if fail := c.checkTrigger(); fail != nil {
		return *fail
	}
	return c.sparsePage("bindings", c.showBindings(c.params["triggerId"]))
}

// updateBindings replaces the whole list, in its order, under new ids (facts §3.6).
func (c *call) updateBindings() answer {
	if fail := c.checkTrigger(); fail != nil {
		return *fail
	}
	trigger := c.params["triggerId"]
	given := list(c.body["bindings"])
	if len(given) > maxBindings {
		return badRequest("", "invalid UpdateBindingsRequest.Bindings: value must contain no more than %d item(s)", maxBindings) // A0-LIM; wording UNCONFIRMED
	}
	next := make([]*binding, 0, len(given))
	for i, x := range given {
		x := object(x)
		a, fail := c.refersTo(trigger, i, object(x["ref"]))
		if fail != nil {
			return *fail
		}
		if a.trigger() != trigger {
			return badRequest("", "action %s does not support the trigger %s", a.id, trigger) // wording UNCONFIRMED
		}
		// One that runs is not refused while its next version is being deployed: it has been.
		if !slices.ContainsFunc(a.versions, func(v *version) bool { return !c.now.Before(v.live) && c.versionStatus(v) == "built" }) {
			return badRequest("", "Trying to create a binding for an action that has not been deployed yet") // deploy-cli #385
		}
		name := str(x["display_name"])
		if name == "" {
			name = a.field("name")
		}
		now := stampNano(c.now)
		next = append(next, &binding{record{id: c.t.draw.uuid(), o: obj{"created_at": now, "updated_at": now, "display_name": name}}, a.id})
	}
	c.t.bindings[trigger] = next
	return ok(obj{"bindings": c.showBindings(trigger)})
}

// refersTo finds the action that the reference of the binding at i names: binding_id,
// action_id or action_name.
func (c *call) refersTo(trigger string, i int, ref obj) (*action, *answer) {
	value := str(ref["value"])
	var a *action
	var found bool
	switch str(ref["type"]) {
	case "binding_id":
		all := c.t.bindings[trigger]
		if i := slices.IndexFunc(all, func(b *binding) bool { return b.id == value }); i >= 0 {
			a, found = c.t.actions.get(all[i].action)
		}
	case "action_id":
		a, found = c.t.actions.get(value)
	case "action_name":
		a, found = c.t.actions.find(func(a *action) bool { return a.field("name") == value })
	default:
		return nil, c.invalidBody(fmt.Sprintf("Payload validation error: 'Data does not match any schemas from 'oneOf'' on property bindings[%d].", i)) // facts §3.6
	}
	if !found {
		fail := noAction() // UNCONFIRMED for bindings
		return nil, &fail
	}
	return a, nil
}
