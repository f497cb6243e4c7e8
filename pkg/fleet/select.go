package fleet

import (
	"fmt"
	"path"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// Select returns those of the tenants whose name is like one of patterns, if there are
// patterns, and whose labels fit all of labels. A pattern or labels that fit nobody are
// an error: most likely they are misspelt.
func Select(tenants []manifest.TenantInfo, patterns, labels []string) ([]manifest.TenantInfo, error) {
	byName := map[string]bool{}
	for _, p := range patterns {
		hit := false
		for _, t := range tenants {
			if ok, err := path.Match(p, t.Name); err != nil {
				return nil, fmt.Errorf("--tenant %q is not a pattern: %w", p, err)
			} else if ok {
				byName[t.Name], hit = true, true
			}
		}
		if !hit {
			return nil, fmt.Errorf("the manifests declare no tenant %q; they declare %s", p, names(tenants))
		}
	}
	var selectors []manifest.Selector
	for _, l := range labels {
		s, err := manifest.ParseSelector(l)
		if err != nil {
			return nil, fmt.Errorf("--select %q: %w", l, err)
		}
		selectors = append(selectors, s)
	}
	var out []manifest.TenantInfo
	for _, t := range tenants {
		fits := len(patterns) == 0 || byName[t.Name]
		for _, s := range selectors {
			fits = fits && s.Matches(t)
		}
		if fits {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no tenant fits --select %s; the manifests declare %s", strings.Join(labels, " --select "), names(tenants))
	}
	return out, nil
}

// names lists tenants in a sentence; many are cut.
func names(tenants []manifest.TenantInfo) string {
	const most = 30
	var out []string
	for i, t := range tenants {
		if i == most {
			return strings.Join(out, ", ") + fmt.Sprintf(" and %d more", len(tenants)-most)
		}
		out = append(out, t.Name)
	}
	return strings.Join(out, ", ")
}
