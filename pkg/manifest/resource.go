// Package manifest turns YAML documents into resources: it parses, checks against
// the schemas, fills in variables, environment and file contents, and resolves
// references to the form that the planner reads. Every problem becomes a Diagnostic
// with its place; all are reported at once.
//
// It does not know any tenant's state and never touches the network.
package manifest

import "fmt"

// Position is a place in a manifest. Line and Column count from 1; 0 means unknown.
type Position struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// String gives file:line:column, as editors and CI systems read it.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Resource is one declared object, ready for the planner: variables, environment
// and files are filled in, references to other resources stand as {"$ref": …},
// sensitive values as {"$secret": …}.
type Resource struct {
	Kind string
	Name string
	// Spec is a value tree (see Ref). The planner must not change it.
	Spec map[string]any
	// Secrets holds sensitive values by the path that their {"$secret": path} names
	// ("secrets.AUDIT_TOKEN"). It must never be written, logged or shown.
	Secrets map[string]string
	Meta    Meta
	Pos     Position
	// Positions gives the place of each field of Spec by its path ("callbacks[0]").
	Positions map[string]Position
	// keys gives the places of the fields' names by the same paths, where they were
	// written; "" is the spec itself.
	keys map[string]Position
	// From is the address of the composite that this came from, "" if it was written itself.
	From string
}

// Meta is what a document says about itself besides its name.
type Meta struct {
	Labels map[string]string
	// RenamedFrom is the former name of an object that is found by its name on the tenant.
	RenamedFrom string
	// Acknowledge maps a notice's id to the reason that was given for accepting it.
	Acknowledge map[string]string
	// PreventDestroy refuses every plan that would delete the object.
	PreventDestroy bool
	// Existing says that the object must be on the tenant already: it is never created or deleted.
	Existing bool
	// Match narrows the search for the object: fields, by path, that an adopted object
	// must not contradict ("client_metadata.express_configure_sp_client_id"). Set by
	// composites, not by manifests.
	Match map[string]any
	// AssumeSecretsUnchanged takes unreadable secrets as unchanged where no record tells.
	AssumeSecretsUnchanged bool
	// Formerly lists addresses under which earlier runs may have recorded the object.
	Formerly []string
	// Outdated are the paths of values that can't be read back, and that only another form
	// of the object needs: what they held stands in the manifest, so that losing them is no
	// loss. Set by composites.
	Outdated []string
	// AfterRemoved names a kind: what the plan deletes of it goes before this is changed.
	AfterRemoved string
	// After lists addresses that must be done first although no value refers to them.
	After []string
}

// Address is Kind/name, unique within a tenant's resources.
func (r *Resource) Address() string { return r.Kind + "/" + r.Name }

// At returns the place of the field at path, or that of the nearest field around it.
func (r *Resource) At(path string) Position {
	for {
		if p, ok := r.Positions[path]; ok {
			return p
		}
		i := lastSeparator(path)
		if i < 0 {
			return r.Pos
		}
		path = path[:i]
	}
}

func lastSeparator(path string) int {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '.' || path[i] == '[' {
			return i
		}
	}
	return -1
}
