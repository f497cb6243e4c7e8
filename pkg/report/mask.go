package report

import (
	"encoding/json"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// masked returns p without values of changes that are marked sensitive. A plan that
// was made properly has none and is returned as it is. Where one slipped in, it is
// taken out of the whole plan; its checksum then fails, and apply refuses it.
func masked(p *planner.Plan) *planner.Plan {
	leaked := leaks(p)
	if leaked == nil {
		return p
	}
	clean := *p
	clean.Tenants = append([]planner.TenantPlan(nil), p.Tenants...)
	for i := range clean.Tenants {
		t := &clean.Tenants[i]
		*t = scrubbed(*t, leaked)
		for j := range t.Steps {
			for k := range t.Steps[j].Changes {
				c := &t.Steps[j].Changes[k]
				if !c.Sensitive {
					continue
				}
				for _, v := range []*any{&c.Before, &c.After} {
					if _, ok := manifest.AsSecret(*v); !ok && *v != nil {
						*v = manifest.SecretRef(c.Path)
					}
				}
			}
		}
	}
	return &clean
}

// leaks returns the texts inside sensitive changes, nil if there is nothing at all.
func leaks(p *planner.Plan) map[string]bool {
	var out map[string]bool
	note := func(v any) {
		if _, ok := manifest.AsSecret(v); ok || v == nil {
			return
		}
		if out == nil {
			out = map[string]bool{}
		}
		manifest.Walk(v, func(v any) {
			if s, ok := v.(string); ok && s != "" {
				out[s] = true
			}
		})
	}
	for _, t := range p.Tenants {
		for _, s := range t.Steps {
			for _, c := range s.Changes {
				if c.Sensitive {
					note(c.Before)
					note(c.After)
				}
			}
		}
	}
	return out
}

// minPartial is the length from which a leaked text is looked for inside others.
const minPartial = 6

// scrubbed returns t with leaked texts replaced wherever they stand. Names of
// members are left alone.
func scrubbed(t planner.TenantPlan, leaked map[string]bool) planner.TenantPlan {
	const instead = "(sensitive)"
	var scrub func(v any) any
	scrub = func(v any) any {
		switch v := v.(type) {
		case string:
			if leaked[v] {
				return instead
			}
			for s := range leaked {
				if len(s) >= minPartial {
					v = strings.ReplaceAll(v, s, instead)
				}
			}
			return v
		case []any:
			for i := range v {
				v[i] = scrub(v[i])
			}
		case map[string]any:
			for k := range v {
				v[k] = scrub(v[k])
			}
		}
		return v
	}
	var out planner.TenantPlan
	b, err := json.Marshal(scrub(manifest.Normal(t)))
	if err != nil || json.Unmarshal(b, &out) != nil {
		return planner.TenantPlan{Tenant: t.Tenant, Domain: t.Domain, Error: "The plan holds a sensitive value and can't be shown."}
	}
	return out
}
