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

// LoadPolicy reads the policy in file, or the one in the first folder of manifests that
// has one if file is "". Without one it demands nothing.
func LoadPolicy(file string, manifests []string) (planner.Policy, error) {
	if file != "" {
		return readPolicy(file)
	}
	for _, m := range manifests {
		if info, err := os.Stat(m); err != nil || !info.IsDir() {
			continue
		}
		p, err := readPolicy(filepath.Join(m, PolicyFile))
		if !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
	}
	return planner.Policy{}, nil
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
