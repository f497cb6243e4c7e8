package tenant

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIdentity(t *testing.T) {
	for token, want := range map[string]Identity{
		"opaque": {},
		"a.b.c":  {},
		jwtOf(map[string]any{"azp": "abc", "scope": "read:clients update:clients", "gty": "client-credentials"}): {ClientID: "abc", Scopes: []string{"read:clients", "update:clients"}, Known: true},
		jwtOf(map[string]any{"sub": "abc@clients", "scope": ""}):                                                 {ClientID: "abc", Scopes: []string{}, Known: true},
		jwtOf(map[string]any{"azp": "abc", "gty": "client-credentials"}):                                         {ClientID: "abc", Known: true},
		jwtOf(map[string]any{"azp": "abc", "sub": "auth0|1"}):                                                    {ClientID: "abc"},
	} {
		tn := open(t, Config{Domain: "acme.eu.auth0.com", Token: token})
		got, err := tn.Identity(context.Background())
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", token, err, d)
		}
	}
}
