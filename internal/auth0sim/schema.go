package auth0sim

import (
	_ "embed" // operations.json
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"
)

// operationsJSON is what distill took from Auth0's OpenAPI document.
//
//go:embed operations.json
var operationsJSON []byte

// schema is the part of JSON Schema that Auth0's document uses.
type schema struct {
	Ref           string             `json:"$ref"`
	Type          typeList           `json:"type"`
	Description   string             `json:"description"`
	Properties    map[string]*schema `json:"properties"`
	Required      []string           `json:"required"`
	Additional    *additional        `json:"additionalProperties"`
	MinProperties *int               `json:"minProperties"`
	MaxProperties *int               `json:"maxProperties"`
	Items         *schema            `json:"items"`
	MinItems      *int               `json:"minItems"`
	MaxItems      *int               `json:"maxItems"`
	UniqueItems   bool               `json:"uniqueItems"`
	Enum          []any              `json:"enum"`
	MinLength     *int               `json:"minLength"`
	MaxLength     *int               `json:"maxLength"`
	Pattern       string             `json:"pattern"`
	Format        string             `json:"format"`
	Minimum       *float64           `json:"minimum"`
	Maximum       *float64           `json:"maximum"`
	OneOf         []*schema          `json:"oneOf"`
	AnyOf         []*schema          `json:"anyOf"`

	matches func(string) bool // Pattern, compiled
	never   bool              // "not": {}
	advice  string            // after the properties that are not allowed
}

// typeList is "string" or ["string", "null"].
type typeList []string

func (t *typeList) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*t = typeList{strings.Trim(string(b), `"`)}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// additional is additionalProperties: a boolean or a schema.
type additional struct {
	forbidden bool
	schema    *schema
}

func (a *additional) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "true":
		return nil
	case "false":
		a.forbidden = true
		return nil
	}
	a.schema = &schema{}
	return json.Unmarshal(b, a.schema)
}

// parameter is one path or query parameter of an operation.
type parameter struct {
	Name        string  `json:"name"`
	In          string  `json:"in"` // path or query
	Description string  `json:"description"`
	Required    bool    `json:"required"`
	Schema      *schema `json:"schema"`
}

// operation is what Auth0's document says of one method and path.
type operation struct {
	Summary string      `json:"summary"`
	Scopes  []string    `json:"scopes"`
	Params  []parameter `json:"params"`
	Body    *schema     `json:"body"`
}

// document is operations.json as amendments.go amends it.
type document struct {
	Operations map[string]*operation `json:"operations"` // by "GET /clients/{id}"
	Schemas    map[string]*schema    `json:"schemas"`
	Scopes     []string              `json:"scopes"` // of all operations, served or not
}

// api is read once a process, however many tenants there are.
var api = sync.OnceValue(func() *document {
	var d document
	if err := json.Unmarshal(operationsJSON, &d); err != nil {
		panic("auth0sim: operations.json: " + err.Error()) // embedded: a build error
	}
	amend(&d)
	for _, s := range d.Schemas {
		d.prepare(s)
	}
	for _, op := range d.Operations {
		d.prepare(op.Body)
		for _, p := range op.Params {
			d.prepare(p.Schema)
		}
	}
	return &d
})

// prepare compiles the patterns below s.
func (d *document) prepare(s *schema) {
	if s == nil {
		return
	}
	if s.Pattern != "" && s.matches == nil {
		s.matches = matcher(s.Pattern)
	}
	for _, p := range s.Properties {
		d.prepare(p)
	}
	if s.Additional != nil {
		d.prepare(s.Additional.schema)
	}
	d.prepare(s.Items)
	for _, o := range s.OneOf {
		d.prepare(o)
	}
	for _, o := range s.AnyOf {
		d.prepare(o)
	}
}

// matcher compiles a pattern. Two patterns of the document are beyond Go: one has
// look-aheads (connection_name_prefix_template must not begin with "-" nor hold
// "--"), one repeats more often than Go allows.
func matcher(pattern string) func(string) bool {
	const lookahead = "^(?!-)(?!.*--)"
	if rest, found := strings.CutPrefix(pattern, lookahead); found {
		re := regexp.MustCompile("^" + rest)
		return func(s string) bool {
			return !strings.HasPrefix(s, "-") && !strings.Contains(s, "--") && re.MatchString(s)
		}
	}
	if pattern == "^(.){1,1024}$" {
		return func(s string) bool {
			return s != "" && !strings.ContainsAny(s, "\n\r") && utf8.RuneCountInString(s) <= 1024
		}
	}
	return regexp.MustCompile(pattern).MatchString
}

// resolve follows a reference. The description beside a reference wins over the
// one at its end, as the recorded messages have it.
func (d *document) resolve(s *schema) (*schema, string) {
	desc := s.Description
	for s.Ref != "" {
		s = d.Schemas[s.Ref]
		if desc == "" {
			desc = s.Description
		}
	}
	return s, desc
}
