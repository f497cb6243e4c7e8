package manifest

import (
	"bytes"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// What stands in rendered documents instead of values that are masked or missing.
const (
	masked   = "(sensitive)"
	notKnown = "(not known here)"
)

// YAML writes resources as documents, sorted as given: references as ${…}, sensitive
// values masked. It is for people; what is masked can't be loaded again.
func YAML(rs []*Resource) ([]byte, error) {
	var b bytes.Buffer
	for i, r := range rs {
		if i > 0 {
			b.WriteString("---\n")
		}
		if r.From != "" {
			fmt.Fprintf(&b, "# from %s\n", r.From)
		}
		doc := struct {
			APIVersion string         `yaml:"apiVersion"`
			Kind       string         `yaml:"kind"`
			Metadata   map[string]any `yaml:"metadata"`
			Spec       any            `yaml:"spec"`
		}{APIVersion, r.Kind, metadata(r), shown(r.Spec, r.Secrets)}
		e := yaml.NewEncoder(&b)
		e.SetIndent(2)
		if err := e.Encode(doc); err != nil {
			return nil, fmt.Errorf("writing %s as YAML: %w", r.Address(), err)
		}
		if err := e.Close(); err != nil {
			return nil, fmt.Errorf("writing %s as YAML: %w", r.Address(), err)
		}
	}
	return b.Bytes(), nil
}

func metadata(r *Resource) map[string]any {
	m := map[string]any{"name": r.Name}
	if len(r.Meta.Labels) > 0 {
		m["labels"] = r.Meta.Labels
	}
	if len(r.Meta.Acknowledge) > 0 {
		m["acknowledge"] = r.Meta.Acknowledge
	}
	if r.Meta.RenamedFrom != "" {
		m["renamed_from"] = r.Meta.RenamedFrom
	}
	if r.Meta.PreventDestroy {
		m["prevent_destroy"] = true
	}
	if r.Meta.Existing {
		m["existing"] = true
	}
	if r.Meta.AssumeSecretsUnchanged {
		m["assume_secrets"] = "unchanged"
	}
	return m
}

// shown turns placeholders into what people read.
func shown(v any, secrets map[string]string) any {
	if p, ok := AsSecret(v); ok {
		if _, held := secrets[p]; held {
			return masked
		}
		return notKnown
	}
	if address, attr, ok := AsRef(v); ok {
		return "${" + address + "." + attr + "}"
	}
	if parts, ok := single(v, keyJoin).([]any); ok {
		var b strings.Builder
		for _, p := range parts {
			switch p := shown(p, secrets).(type) {
			case string:
				b.WriteString(p)
			default:
				fmt.Fprint(&b, p)
			}
		}
		return b.String()
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = shown(e, secrets)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = shown(e, secrets)
		}
		return out
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return v
}
