package kind

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// Flows returns, by trigger, the names of the Actions bound to it, in their order, as far
// as v has been asked for them on behalf of rs.
func Flows(rs []*manifest.Resource, v *View) map[string][]string {
	out := map[string][]string{}
	for _, r := range rs {
		trigger, _ := r.Spec["trigger"].(string)
		if r.Kind != "Action" || trigger == "" {
			continue
		}
		read := bindingsRead(Desired{Resource: r}, trigger)
		if answer, read := v.Answers[read.Key()]; read {
			names := []string{}
			for _, b := range objects(answer) {
				name, _ := dig(b, "action", "name").(string)
				names = append(names, name)
			}
			out[trigger] = names
		}
	}
	return out
}

// Newcomers tells which Actions that the manifests do not declare were bound to a trigger
// of theirs, or taken out, since a run that found the flows former. They stay as they are,
// so no step tells of them; but each can deny a login or change a token.
func Newcomers(rs []*manifest.Resource, v *View, run string, former map[string][]string) []Notice {
	var out []Notice
	now := Flows(rs, v)
	for _, trigger := range manifest.Keys(now) {
		was, known := former[trigger]
		declared, whole := map[string]string{}, false // address by name
		for _, r := range rs {
			if name, _ := r.Spec["name"].(string); r.Kind == "Action" && r.Spec["trigger"] == trigger {
				declared[name] = r.Address()
				declared[r.Meta.RenamedFrom] = r.Address()
				whole = whole || r.Spec["exclusive"] == true
			}
		}
		own := slices.IndexFunc(now[trigger], func(n string) bool { return declared[n] != "" })
		if !known || whole || own < 0 { // whoever owns the whole flow sees steps instead
			continue
		}
		var told []string
		for i, n := range now[trigger] {
			if declared[n] == "" && !slices.Contains(was, n) {
				told = append(told, fmt.Sprintf("%q was bound %s %q", n, map[bool]string{true: "before", false: "after"}[i < own], now[trigger][own]))
			}
		}
		for _, n := range was {
			if declared[n] == "" && !slices.Contains(now[trigger], n) {
				told = append(told, fmt.Sprintf("%q is no longer bound", n))
			}
		}
		if len(told) > 0 {
			out = append(out, Notice{
				ID: "flow-changed", Address: declared[now[trigger][own]], Level: Warn,
				Summary: "The flow of " + trigger + " was changed since run " + run + ": " + strings.Join(told, "; "),
				Detail:  "The manifests do not declare these Actions, so the plan leaves them as they are. Each Action in the flow can deny a login or change a token. Look at it; acknowledge the notice, or let the next run take note of the flow as it is.",
			})
		}
	}
	return out
}
