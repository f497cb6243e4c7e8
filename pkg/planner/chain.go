package planner

import (
	"maps"
	"slices"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// chains hold, by the read that guards it, how the plan's last write so far leaves a
// collection that several objects share and that can only be replaced as a whole. A
// later write to the same collection starts from there and waits for the former.
type chains map[string]chainEnd

// chainEnd is the end of a chain.
type chainEnd struct {
	after map[string]any
	step  string
}

// steps returns the writes of one resource.
func (c chains) steps(s *state, in Input) ([]kind.Step, error) {
	get := func(o kind.Observed) ([]kind.Step, error) {
		if s.desired.Removing {
			t := *s
			t.found = o
			return removal(&t, in)
		}
		return s.kind.Steps(s.desired, o)
	}
	steps, err := get(s.found)
	if err != nil {
		return nil, err
	}
	if after := c.seen(steps); after != nil {
		if steps, err = get(continued(s.found, after)); err != nil {
			return nil, err
		}
	}
	c.extend(steps)
	return steps, nil
}

// finish returns the writes that several resources of a kind share.
func (c chains) finish(states []*state, v *kind.View) ([]kind.Step, manifest.Diagnostics) {
	byKind := map[string][]*state{}
	for _, s := range states {
		if s.err == nil && s.kind.Finish != nil {
			byKind[s.desired.Kind] = append(byKind[s.desired.Kind], s)
		}
	}
	var out []kind.Step
	var ds manifest.Diagnostics
	for _, name := range manifest.Keys(byKind) {
		group := byKind[name]
		desired, found := make([]kind.Desired, len(group)), make([]kind.Observed, len(group))
		for i, s := range group {
			desired[i], found[i] = s.desired, s.found
		}
		steps, err := group[0].kind.Finish(desired, found, v)
		if after := c.seen(steps); err == nil && after != nil {
			for i := range found {
				found[i] = continued(found[i], after)
			}
			steps, err = group[0].kind.Finish(desired, found, v)
		}
		if err != nil {
			ds = append(ds, diagnose(group[0].desired.Resource, err))
			continue
		}
		c.extend(steps)
		out = append(out, steps...)
	}
	return out, ds
}

// seen returns how an earlier write leaves a collection that steps write to, nil if none did.
func (c chains) seen(steps []kind.Step) map[string]any {
	for _, s := range steps {
		if s.Guard != nil {
			if l, ok := c[s.Guard.Read.Key()]; ok {
				return l.after
			}
		}
	}
	return nil
}

func continued(o kind.Observed, after map[string]any) kind.Observed {
	o.Spec = maps.Clone(o.Spec)
	maps.Copy(o.Spec, after)
	return o
}

// extend puts steps at the ends of their chains.
func (c chains) extend(steps []kind.Step) {
	for i := range steps {
		s := &steps[i]
		if s.Guard == nil {
			continue
		}
		key := s.Guard.Read.Key()
		if l, ok := c[key]; ok && !slices.Contains(s.Needs, l.step) {
			s.Needs = append(s.Needs, l.step)
		}
		c[key] = chainEnd{after: s.After, step: s.ID}
	}
}
