package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
)

// PolicyFile is where a policy is looked for beside the manifests.
const PolicyFile = "ecplan-policy.yaml"

// LoadPolicies reads the policy in file, or those beside the manifests if file is "": in
// each folder that is named, and in that of each file. All of them count.
func LoadPolicies(file string, manifests []string) ([]planner.Policy, error) {
	if file != "" {
		p, err := readPolicy(file)
		return []planner.Policy{p}, err
	}
	var out []planner.Policy
	seen := map[string]bool{}
	for _, m := range manifests {
		dir := m
		if info, err := os.Stat(m); err == nil && !info.IsDir() {
			dir = filepath.Dir(m)
		}
		if dir = filepath.Clean(dir); seen[dir] {
			continue
		}
		seen[dir] = true
		p, err := readPolicy(filepath.Join(dir, PolicyFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func readPolicy(file string) (planner.Policy, error) {
	var p planner.Policy
	data, err := os.ReadFile(file) //nolint:gosec // the user names the file
	if err != nil {
		return p, fmt.Errorf("read the policy: %w", err)
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&p); err != nil && !errors.Is(err, io.EOF) {
		return p, fmt.Errorf("%s is no policy: %w. It knows deny, require_acknowledgement, grant_scopes, min_key_bits and max_token_lifetime", file, err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return p, fmt.Errorf("%s has more than one YAML document, and a policy is one: only the first would be enforced. Make it one", file)
	}
	kinds := kind.All()
	for _, d := range p.Deny {
		if d.Kind != "" && kinds[d.Kind] == nil {
			return p, fmt.Errorf("%s: deny names the kind %q, which there is not", file, d.Kind)
		}
		switch d.Action {
		case "", kind.Create, kind.Update, kind.Delete, kind.Deploy, kind.Bind, kind.Unbind, kind.Attach:
		default:
			return p, fmt.Errorf("%s: deny names the action %q; there are create, update, delete, deploy, bind, unbind and attach", file, d.Action)
		}
	}
	return p, nil
}
