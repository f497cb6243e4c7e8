package fleet_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ecplan/ecplan/pkg/fleet"
)

// TestPolicyIsReadWhole: what stands in a policy's file is enforced, or the file is refused.
func TestPolicyIsReadWhole(t *testing.T) {
	for text, good := range map[string]bool{
		"":                          true,
		"# nothing yet\n":           true,
		"---\nmin_key_bits: 3072\n": true,
		"min_key_bits: 3072\n---\ngrant_scopes: []\n": false,
		"min_key_bits: 3072\n---\n: [":                false,
		"min_key_bit: 3072\n":                         false,
		"deny: [{kind: Clients}]\n":                   false,
		"deny: [{action: remove}]\n":                  false,
	} {
		file := filepath.Join(t.TempDir(), fleet.PolicyFile)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := fleet.LoadPolicies(file, nil); (err == nil) != good {
			t.Errorf("%q: good should be %v; LoadPolicies says %v", text, good, err)
		}
	}
}
