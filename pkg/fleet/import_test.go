package fleet_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/fleet"
)

// TestImportPlansNothing: whatever is on a tenant, the plan of what was imported from it
// is empty, and ecplan writes nothing while it imports.
func TestImportPlansNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed, err := json.Marshal(drawSeed(rt))
		if err != nil {
			rt.Fatal(err)
		}
		b := newBench(t, seed)
		defer b.sim.Close() //nolint:errcheck // closed again at the end of the test
		b.write("tenant.yaml", fmt.Sprintf(tenantDocument, b.sim.Domain()))
		b.take(rt)
		if p := b.plan(); len(p.Steps) > 0 {
			rt.Fatalf("the plan of what was imported is not empty:\n%s", indent(p.Steps))
		}
		for _, r := range b.sim.Requests() {
			if r.Method != "GET" {
				rt.Fatalf("importing sent %s", r)
			}
		}
	})
}

// TestImportTheGuide imports the example's set-up, in place of the manifest that made it.
func TestImportTheGuide(t *testing.T) {
	b := guide(t)
	b.apply()
	if err := os.Remove(filepath.Join(b.dir, "express.yaml")); err != nil {
		t.Fatal(err)
	}
	b.take(t)
	if p := b.plan(); len(p.Steps) > 0 || len(p.Unchanged) != 13 {
		t.Fatalf("%d as declared, and the plan: %s", len(p.Unchanged), indent(p.Steps))
	}
}

// take imports the tenant into the bench's folder.
func (b *bench) take(t interface{ Fatal(args ...any) }) {
	ims, err := b.target().Import(b.t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := fleet.Files(ims)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(b.dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
