package kind

import (
	"errors"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// TenantSettings are the settings of the whole tenant, a singleton (facts §3.7).
// Flags are merged by Auth0 one by one; one that was never set is absent and means
// false, and can't be made absent again.
var tenantSettingsScopes = Scopes{
	Read:   []string{"read:tenant_settings"},
	Update: []string{"update:tenant_settings"},
}

func tenantSettings() *Kind {
	return &Kind{
		Name: "TenantSettings", Rank: 60, Scopes: tenantSettingsScopes,
		Observe: func(d Desired, v *View) (Observed, error) {
			obj, ok := v.Object(Read{Path: "tenants/settings", Scopes: tenantSettingsScopes.Read, For: d.Address()})
			if !ok {
				return Observed{Pending: true}, nil
			}
			if obj == nil {
				return Observed{}, errors.New("the tenant has no settings: is the domain the tenant's own?")
			}
			return Observed{Exists: true, Object: obj, Spec: obj}, nil
		},
		Steps: func(d Desired, o Observed) ([]Step, error) {
			diff := compare(d, o)
			if len(diff.changes) == 0 {
				return nil, nil
			}
			c := collectionOf{scopes: tenantSettingsScopes}
			s := c.updateStep(d, o, diff, "tenants", "settings")
			flags, _ := diff.before["flags"].(map[string]any)
			s.Undo.How += neverSet(flags)
			return []Step{s}, nil
		},
		Delete: func(Desired, Observed) ([]Step, error) { return nil, nil }, // a tenant always has settings
	}
}

// neverSet says what becomes of those flags that were absent before, once they are taken
// back: what their absence means, which for some is true.
func neverSet(before map[string]any) string {
	rule := schemas.Rules("TenantSettings").Properties["flags"]
	off := false
	var on []string
	for _, name := range manifest.Keys(before) {
		switch {
		case before[name] != nil:
		case orAbsent(elementRule(rule, name), nil) == true:
			on = append(on, name)
		default:
			off = true
		}
	}
	const same = ", which means the same"
	switch {
	case off && len(on) > 0:
		return "; a flag that was never set becomes false, or true (" + listed(on) + ")" + same
	case off:
		return "; a flag that was never set becomes false" + same
	case len(on) > 0:
		return "; a flag that was never set becomes true (" + listed(on) + ")" + same
	}
	return ""
}
