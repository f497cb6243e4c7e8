package planner_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
)

// TestSavedPlanCanBeSeen: whatever texts a plan holds, its file shows each character, and
// what is read back is the plan and the same bytes again.
func TestSavedPlanCanBeSeen(t *testing.T) {
	odd := rapid.SampledFrom([]rune{'\x1b', '\u202e', '\u2066', '\u200b', '\ufeff', '\u2800', '\u3164', '\U000e0041', '\u2028', '\x7f', '\u0085', '\\', '"', 'é', '字', '😀'})
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(odd, rapid.Rune())).Draw(t, "text")
		p := &planner.Plan{Format: planner.Format, Tool: "test", Tenants: []planner.TenantPlan{{
			Tenant: "t", Domain: "d", Steps: []kind.Step{{ID: "Client/a", Address: "Client/a", Action: kind.Create, Reason: text, After: map[string]any{"k" + text: text}}},
		}}}
		p.Seal()
		data, err := planner.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range string(data) {
			if r != '\n' && !planner.Printable(r) {
				t.Fatalf("%U stands in the file as it is", r)
			}
		}
		back, err := planner.Read(data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := planner.Encode(back)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("it is not the same again (%v)", err)
		}
		if got := back.Tenants[0].Steps[0].Reason; utf8.ValidString(text) && got != text {
			t.Fatalf("%q became %q", text, got)
		}
		if !json.Valid(data) {
			t.Fatal("it is not JSON")
		}
	})
}
