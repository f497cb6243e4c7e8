package kind

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// flow is a trigger's list while it is being changed.
type flow []map[string]any

func (f flow) index(id any) int {
	ref, isRef, _ := refOf(id)
	return slices.IndexFunc(f, func(e map[string]any) bool {
		r, is, _ := refOf(e["id"])
		return isRef == is && (isRef && r == ref || !isRef && e["id"] == id)
	})
}

func refOf(v any) (string, bool, string) {
	a, attr, ok := manifest.AsRef(v)
	return a, ok, attr
}

func (f flow) named(name string) int {
	return slices.IndexFunc(f, func(e map[string]any) bool { return e["name"] == name })
}

func (f flow) list(member string) []any {
	out := make([]any, len(f))
	for i, e := range f {
		out[i] = e[member]
	}
	return out
}

func (f flow) names() []string {
	out := make([]string, len(f))
	for i, e := range f {
		out[i] = fmt.Sprint(e["name"])
	}
	return out
}

// like reports whether two flows run the same Actions in the same order.
func (f flow) like(g flow) bool { return slices.EqualFunc(f, g, sameAction) }

// sameAction compares by id. One that is yet to be created has none: where it stood in a
// plan as a reference, its name tells.
func sameAction(a, b map[string]any) bool {
	x, idA := a["id"].(string)
	y, idB := b["id"].(string)
	if idA && idB {
		return x == y
	}
	return a["name"] == b["name"]
}

// display returns the name that the flow shows for the Action with this id.
func (f flow) display(id any) any {
	if i := f.index(id); i >= 0 {
		return f[i]["display_name"]
	}
	return nil
}

// with returns the flow in which the entry at i has another value.
func (f flow) with(i int, field string, v any) flow {
	out := slices.Clone(f)
	out[i] = maps.Clone(f[i])
	out[i][field] = v
	return out
}

// shownName is the path of the name that a trigger's flow shows for an Action.
func shownName(trigger string) string { return "display_name in " + trigger + " bindings" }

// renames reports whether an Action that is bound in both flows is shown under another name.
func (f flow) renames(g flow, id any) bool {
	return f.index(id) >= 0 && g.index(id) >= 0 && f.display(id) != g.display(id)
}

func (f flow) tree() []any {
	out := make([]any, len(f))
	for i, e := range f {
		out[i] = e
	}
	return out
}

// flowNotices tells of the Actions that an Action is bound beside for the first time:
// they see what it does, and it sees what they did.
func flowNotices(d Desired, o Observed) []Notice {
	var current flow = objects(o.Spec["bindings"])
	if d.Spec["bind"] == nil || len(current) == 0 || o.Exists && current.index(o.ID) >= 0 {
		return nil
	}
	trigger := text(d.Spec, "trigger")
	return []Notice{{
		ID: "other-actions", Address: d.Address(), Level: Info,
		Summary: fmt.Sprintf("%s %s at %s already, in this order: %s", count(len(current), "other Action", "other Actions"), plural(len(current), "runs", "run"), trigger, listed(current.names())),
		Detail:  "Each of them can deny a login or change a token before or after this one. Look at them once together.",
	}}
}
