package manifest

import (
	"fmt"
	"strings"
)

// Summary counts what manifests hold.
type Summary struct {
	Documents int `json:"documents"`
	// Resources counts addresses, after composites are expanded.
	Resources int `json:"resources"`
	Tenants   int `json:"tenants"`
}

// String is the line that validation ends with.
func (s Summary) String() string {
	count := func(n int, what string) string {
		if n == 1 {
			return "1 " + what
		}
		return fmt.Sprintf("%d %ss", n, what)
	}
	return fmt.Sprintf("%s, %s, %s: valid", count(s.Documents, "document"), count(s.Resources, "resource"), count(s.Tenants, "tenant"))
}

// Check says what is wrong beyond what Load has said: it resolves, expands and links
// for every tenant without environment and credentials; without a Tenant document
// variables may stay unset.
func (s *Set) Check(in Inputs) Diagnostics {
	_, ds := s.Review(in)
	return ds
}

// Review is Check, and counts.
func (s *Set) Review(in Inputs) (Summary, Diagnostics) {
	in.SyntaxOnly, in.Env = true, nil
	tenants := s.Tenants()
	sum := Summary{Documents: len(s.docs), Tenants: len(tenants)}
	names := []string{""}
	if len(tenants) > 0 {
		names = nil
		for _, t := range tenants {
			names = append(names, t.Name)
		}
	}
	addresses := map[string]bool{}
	concerned := map[Diagnostic][]string{}
	var order Diagnostics
	for _, name := range names {
		_, rs, ds := s.Prepare(name, in)
		for _, r := range rs {
			addresses[r.Address()] = true
		}
		for _, d := range ds {
			if concerned[d] == nil {
				order = append(order, d)
			}
			concerned[d] = append(concerned[d], name)
		}
	}
	sum.Resources = len(addresses)
	for i, d := range order {
		// A Tenant's own problems name it already; what concerns all need not list them.
		if on := concerned[d]; len(on) < len(names) && !strings.HasPrefix(d.Address, KindTenant+"/") {
			order[i].Detail = sentences(d.Detail, "This concerns "+tenantList(on)+".")
		}
	}
	return sum, order.Sort()
}

func tenantList(names []string) string {
	const most = 5
	if len(names) == 1 {
		return "the tenant " + names[0]
	}
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("the tenants %s and %d more", strings.Join(names[:most], ", "), more)
	}
	return "the tenants " + strings.Join(names, ", ")
}
