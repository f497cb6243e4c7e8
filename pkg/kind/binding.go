package kind

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// A binding is an Action's place in a trigger's flow. Auth0 replaces the list of a
// trigger as a whole and gives new binding ids each time (facts §3.6): so the list
// is read, changed by one Action, guarded and written, and entries are told apart
// by the Action's id.

const mostBound = 20 // facts §3.6

// recordedBinding is the field under which a run records that it bound an Action.
const recordedBinding = "bind"

// flows reports whether d has to do with a trigger's flow.
func flows(d Desired) bool {
	return d.Spec["bind"] != nil || len(d.Record.Merged[recordedBinding]) > 0 || d.Removing
}

func bindingsRead(d Desired, trigger string) Read {
	return Read{Path: "actions/triggers/" + url.PathEscape(trigger) + "/bindings", List: "bindings", Scopes: actions.scopes.Read, For: d.Address()}
}

// bindingsOf returns the entries of a trigger's flow in their order.
func bindingsOf(d Desired, v *View, trigger string) ([]any, bool) {
	items, ok := v.Items(bindingsRead(d, trigger))
	out := []any{}
	for _, b := range items {
		out = append(out, map[string]any{"id": dig(b, "action", "id"), "name": dig(b, "action", "name"), "display_name": b["display_name"]})
	}
	return out, ok
}

// bound is one declared Action that has to do with a flow.
type bound struct {
	d     Desired
	o     Observed
	entry map[string]any
	rule  map[string]any // spec.bind; nil to take it out
}

// bindingSteps brings the flows of all triggers to what the declared Actions ask
// for: one write for each Action whose place changes.
func bindingSteps(ds []Desired, os []Observed, _ *View) ([]Step, error) {
	byTrigger := map[string][]bound{}
	for i, d := range ds {
		if !flows(d) || d.Removing {
			continue
		}
		b := bound{d: d, o: os[i]}
		b.rule, _ = d.Spec["bind"].(map[string]any)
		name := text(d.Spec, "name")
		display := text(d.Spec, "display_name")
		if display == "" {
			display = name
		}
		b.entry = map[string]any{"id": self(d, os[i], "id"), "name": name, "display_name": display}
		byTrigger[text(d.Spec, "trigger")] = append(byTrigger[text(d.Spec, "trigger")], b)
	}
	var steps []Step
	for _, trigger := range manifest.Keys(byTrigger) {
		more, err := triggerSteps(trigger, byTrigger[trigger])
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	return steps, nil
}

func triggerSteps(trigger string, ours []bound) ([]Step, error) {
	var current flow = objects(ours[0].o.Spec["bindings"])
	for _, b := range ours { // by the names that the manifest gives them, others find them
		if i := current.index(b.entry["id"]); i >= 0 {
			current = current.with(i, "name", b.entry["name"])
		}
	}
	final, err := arrange(trigger, current, ours)
	if err != nil {
		return nil, err
	}
	if len(final) > mostBound {
		return nil, fmt.Errorf("%d Actions would be bound to %s, and Auth0 takes at most %d", len(final), trigger, mostBound)
	}
	settled := unmoved(current, final, ours)
	var steps []Step
	previous := ""
	move := func(b bound, next flow) {
		s := bindStep(b, trigger, current, next)
		if previous != "" {
			s.Needs = append(s.Needs, previous)
		}
		previous = s.ID
		steps = append(steps, s)
		current = next
	}
	for _, b := range ours {
		next := slices.Clone(current)
		if exclusive, _ := b.d.Spec["exclusive"].(bool); exclusive {
			next = slices.DeleteFunc(next, func(e map[string]any) bool { return final.index(e["id"]) < 0 && !isOurs(e, ours) })
		}
		if i := next.index(b.entry["id"]); i >= 0 && settled.index(b.entry["id"]) < 0 {
			next = slices.Delete(next, i, i+1)
		}
		if at := final.index(b.entry["id"]); at >= 0 && next.index(b.entry["id"]) < 0 {
			next = slices.Insert(next, place(next, final, at, settled), final[at])
			settled = append(settled, final[at])
		}
		if next.renames(final, b.entry["id"]) {
			next = next.with(next.index(b.entry["id"]), "display_name", final.display(b.entry["id"]))
		}
		if !next.like(current) || next.renames(current, b.entry["id"]) {
			move(b, next)
		}
	}
	return steps, nil
}

func isOurs(e map[string]any, ours []bound) bool {
	return slices.ContainsFunc(ours, func(b bound) bool { return flow{e}.index(b.entry["id"]) == 0 })
}

// unmoved returns the entries that stand as final wants them, one behind the other, and
// are not moved: those of others, and of ours as many as fit between them, first those
// that ask for no place.
func unmoved(current, final flow, ours []bound) flow {
	var out flow
	for _, e := range current {
		if final.index(e["id"]) >= 0 && !isOurs(e, ours) {
			out = append(out, e)
		}
	}
	for _, asks := range []bool{false, true} {
		for _, b := range ours {
			if i := current.index(b.entry["id"]); i >= 0 && asks == (len(b.rule) > 0) && fits(current, final, i, out) {
				out = append(out, current[i])
			}
		}
	}
	return out
}

// fits reports whether the entry at i stands between the settled ones as final wants it.
func fits(list, final flow, i int, settled flow) bool {
	at := final.index(list[i]["id"])
	return at >= 0 && !slices.ContainsFunc(settled, func(e map[string]any) bool {
		return (list.index(e["id"]) < i) != (final.index(e["id"]) < at)
	})
}

// place finds where final[at] goes in list: behind the nearest settled entry before it
// that is there.
func place(list, final flow, at int, settled flow) int {
	for i := at - 1; i >= 0; i-- {
		if j := list.index(final[i]["id"]); j >= 0 && settled.index(final[i]["id"]) >= 0 {
			return j + 1
		}
	}
	return 0
}

// arrange returns the flow that the declared Actions ask for. An Action that is
// bound and asks for no place stays where it is; others keep their order.
func arrange(trigger string, current flow, ours []bound) (flow, error) {
	list := slices.Clone(current)
	for _, b := range ours {
		if exclusive, _ := b.d.Spec["exclusive"].(bool); exclusive {
			list = slices.DeleteFunc(list, func(e map[string]any) bool { return !isOurs(e, ours) })
		}
	}
	var first, last flow
	for _, b := range ours {
		i := list.index(b.entry["id"])
		entry := b.entry
		if i >= 0 { // the name that the flow shows stays, unless one is declared
			if shown := text(b.d.Spec, "display_name"); shown != "" {
				list = list.with(i, "display_name", shown)
			}
			entry = list[i]
		}
		position := text(b.rule, "position")
		if i >= 0 && (b.rule == nil || position != "") {
			list = slices.Delete(list, i, i+1)
		}
		switch {
		case b.rule == nil:
		case position == "first":
			first = append(first, entry)
		case position == "last":
			last = append(last, entry)
		case i < 0:
			list = append(list, entry)
		}
	}
	list = slices.Concat(first, list, last)
	for _, b := range ours {
		var err error
		if list, err = relate(trigger, list, b); err != nil {
			return nil, err
		}
	}
	for _, b := range ours { // what one asks for may break what another has got
		again, err := relate(trigger, list, b)
		if err != nil {
			return nil, err
		}
		if !again.like(list) {
			return nil, fmt.Errorf("the places that the manifest asks for in %s contradict each other; look at the bind of %s", trigger, b.d.Address())
		}
	}
	return list, nil
}

// relate moves an Action that asks for a place before or after another one.
func relate(trigger string, list flow, b bound) (flow, error) {
	for _, relation := range []string{"before", "after"} {
		name := text(b.rule, relation)
		if name == "" {
			continue
		}
		target, own := list.named(name), list.index(b.entry["id"])
		if name == b.entry["name"] {
			return nil, fmt.Errorf("%s asks for a place %s itself (%q); name another Action", b.d.Address(), relation, name)
		}
		if target < 0 {
			return nil, fmt.Errorf("%s asks for a place %s the Action %q, which is not bound to %s. Bound there: %s", b.d.Address(), relation, name, trigger, listed(list.names()))
		}
		if relation == "before" && own < target || relation == "after" && own > target {
			continue
		}
		entry := list[own]
		list = slices.Delete(slices.Clone(list), own, own+1)
		target = list.named(name)
		if relation == "after" {
			target++
		}
		list = slices.Insert(list, target, entry)
	}
	return list, nil
}

func bindStep(b bound, trigger string, from, to flow) Step {
	was, is := from.index(b.entry["id"]) >= 0, to.index(b.entry["id"]) >= 0
	s := newStep(b.d, b.o, "binding", Bind, "")
	switch {
	case !was && is:
		s.Reason = "not bound to " + trigger
	case was && !is:
		s.Action, s.Reason = Unbind, "bound by an earlier run, and no longer declared"
		if b.d.Removing {
			s.Reason = "the Action is to be deleted"
		}
	case from.like(to):
		s.Reason = "the flow shows the Action under another name"
	default:
		s.Reason = "the order of " + trigger + " differs from the manifest"
	}
	refs := make([]any, len(to))
	for i, e := range to {
		refs[i] = map[string]any{"ref": map[string]any{"type": "action_id", "value": e["id"]}, "display_name": e["display_name"]}
	}
	s.Request = Request{Method: "PATCH", Path: []any{"actions", "triggers", trigger, "bindings"}, Body: map[string]any{"bindings": refs}}
	s.Scopes = actions.scopes.Update
	s.Needs = []string{b.d.Address(), StepID(b.d.Address(), "deployment")}
	s.Guard = &Guard{What: "the Actions bound to " + trigger + " and their order", Read: bindingsRead(b.d, trigger), Pick: "action.id", Want: from.list("id")}
	s.Key["trigger"] = trigger
	s.Before, s.After = map[string]any{"bindings": from.tree()}, map[string]any{"bindings": to.tree()}
	if !from.like(to) {
		s.Changes = []Change{{Path: trigger + " bindings", Op: "change", Before: anyList(from.names()), After: anyList(to.names())}}
	}
	if id := b.entry["id"]; from.renames(to, id) {
		s.Changes = append(s.Changes, Change{Path: shownName(trigger), Op: "change", Before: from.display(id), After: to.display(id)})
	}
	var others []string
	for _, e := range to {
		if from.index(e["id"]) >= 0 && !sameAction(e, b.entry) {
			others = append(others, fmt.Sprint(e["name"]))
		}
	}
	if len(others) > 0 {
		s.Keeps = []string{fmt.Sprintf("%s %s bound, in the same order: %s.", count(len(others), "other Action", "other Actions"), plural(len(others), "stays", "stay"), listed(others))}
	}
	if was && !is {
		s.Released = map[string][]string{recordedBinding: {trigger}}
	}
	if is && !was {
		s.Merged = map[string][]string{recordedBinding: {trigger}}
		s.Undo = Undo{Effect: Exact, How: "takes the Action out of " + trigger + "; the others stay"}
	} else {
		s.Undo = Undo{Effect: Exact, How: "puts the Action back at its place in " + trigger}
		if from.like(to) {
			s.Undo.How = "gives the Action its former name in " + trigger + " back"
		}
	}
	return s
}

// deleteAction unbinds the Action where it is bound, for Auth0 deletes no bound one,
// and deletes it.
func deleteAction(d Desired, o Observed) ([]Step, error) {
	var steps []Step
	var current flow = objects(o.Spec["bindings"])
	if i := current.index(o.ID); i >= 0 {
		b := bound{d: d, o: o, entry: current[i]}
		unbind := bindStep(b, text(o.Spec, "trigger"), current, slices.Delete(slices.Clone(current), i, i+1))
		unbind.Needs = nil
		steps = append(steps, unbind)
	}
	s := actions.deleteStep(d, o, Undo{Effect: None, How: "its secrets' values and its former versions are gone for good"})
	s.Request.Path = []any{"actions", "actions", o.ID}
	s.Needs = []string{StepID(d.Address(), "binding")}
	s.Changes = slices.DeleteFunc(s.Changes, func(c Change) bool {
		return strings.HasPrefix(c.Path, "bindings") || strings.HasPrefix(c.Path, "deployed_version")
	})
	return append(steps, s), nil
}

// restoreAction takes back what a run did to an Action. done are its steps in the
// order in which they ran, o is the state now.
func restoreAction(d Desired, o Observed, done []Step) ([]Step, error) {
	var steps []Step
	for _, s := range slices.Backward(done) {
		if s.Part == "binding" {
			if step, ok := unbindStep(d, o, s); ok {
				steps = append(steps, step)
				o.Spec = maps.Clone(o.Spec)
				o.Spec["bindings"] = step.After["bindings"]
			}
		}
	}
	if slices.ContainsFunc(done, func(s Step) bool { return s.Action == Create }) {
		rest, err := deleteAction(d, o)
		return append(steps, rest...), err
	}
	for _, s := range done {
		id, _ := dig(s.Before, "deployed_version", "id").(string)
		if s.Part == "binding" || s.Undo.Effect != Exact || id == "" {
			continue
		}
		r := newStep(d, o, "deployment", Deploy, fmt.Sprintf("takes the Action back to version %v, with its code and its secrets' values", dig(s.Before, "deployed_version", "number")))
		r.Request = Request{Method: "POST", Path: []any{"actions", "actions", o.ID, "versions", id, "deploy"}, Body: map[string]any{"update_draft": true}}
		r.Scopes = actions.scopes.Create
		r.Outputs = []string{"secrets"}
		r.Before = map[string]any{"deployed_version": o.Spec["deployed_version"]}
		r.After = map[string]any{"all_changes_deployed": true}
		r.Await = deployed([]any{"actions", "actions", o.ID})
		r.Await.Done["all_changes_deployed"] = true
		r.Undo = redeployUndo(o)
		return append(steps, r), nil
	}
	return steps, nil
}

// unbindStep makes the write that takes back one change of a flow: exactly if the
// flow is still as the run left it, else by the one Action alone.
func unbindStep(d Desired, o Observed, s Step) (Step, bool) {
	var current, before, after flow = objects(o.Spec["bindings"]), objects(s.Before["bindings"]), objects(s.After["bindings"])
	target := current
	own := current.index(o.ID)
	switch {
	case current.like(after):
		target = slices.Clone(before)
		for i, e := range target {
			if at := current.index(e["id"]); at >= 0 {
				target[i] = current[at]
			}
		}
	case own >= 0 && before.index(o.ID) < 0:
		target = slices.Delete(slices.Clone(current), own, own+1)
	case own < 0 && before.index(o.ID) >= 0:
		at := before.index(o.ID)
		target = slices.Insert(slices.Clone(current), place(current, before, at, current), before[at])
	}
	if before.renames(after, o.ID) && current.display(o.ID) == after.display(o.ID) {
		if at := target.index(o.ID); at >= 0 {
			target = target.with(at, "display_name", before.display(o.ID))
		}
	}
	if target.like(current) && !target.renames(current, o.ID) {
		return Step{}, false
	}
	trigger := text(s.Key, "trigger")
	b := bound{d: d, o: o, entry: map[string]any{"id": o.ID, "name": text(o.Spec, "name")}}
	step := bindStep(b, trigger, current, target)
	step.Reason = "takes back the change of " + trigger
	step.Needs = nil
	return step, true
}
