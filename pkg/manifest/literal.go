package manifest

import (
	"fmt"

	"github.com/ecplan/ecplan/schemas"
)

// noticeLiteral is the id under which a manifest says that a literal value is no secret.
const noticeLiteral = "literal-secret"

// checkLiterals warns of values that are to be secret and stand in the manifest. It is no
// error, for what an Action keeps among its secrets is often none, such as an address;
// a Tenant's credentials always are (see checkAuth).
func (d *document) checkLiterals() Diagnostics {
	if _, seen := stringMap(d.metadata["acknowledge"])[noticeLiteral]; seen || d.kind == KindTenant {
		return nil
	}
	var ds Diagnostics
	for at, spec := range d.versions() {
		walkRules(spec, schemas.Rules(d.kind), at, func(path string, v any, rule *schemas.Rule) {
			text, isText := v.(string)
			if rule == nil || !rule.Sensitive || !isText || text == "" || hasExpression(text) {
				return
			}
			ds = append(ds, Diagnostic{
				Severity: Warning, Pos: d.at(path), Address: d.address(), Path: path, Private: true,
				Summary: printable(path) + " is written into the manifest",
				Detail: fmt.Sprintf("Whoever can read the repository knows it, now and from its history. If it is a secret, replace it where it is from, and write ${env.NAME} or {env: NAME} here; "+
					"if it is none, say so: metadata.acknowledge: {%s: why}.", noticeLiteral),
			})
		})
	}
	return ds
}
