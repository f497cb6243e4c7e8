package kind

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// expirySoon is how long before its end a key is worth a word.
const expirySoon = 30 * 24 * time.Hour

// clientNotices tells of keys that end soon or have ended, on the tenant or in the manifest.
func clientNotices(d Desired, o Observed) []Notice {
	var out []Notice
	if d.Now.IsZero() {
		return nil
	}
	keys, there := objects(o.Spec["credentials"]), kids(objects(o.Spec["credentials"]))
	for _, c := range objects(d.Spec["credentials"]) {
		if kid, err := kidOf(c); err == nil && !slices.Contains(there, kid) {
			c = maps.Clone(c)
			c["kid"] = kid
			keys = append(keys, c)
		}
	}
	for _, c := range keys {
		end := endOf(c)
		if end.IsZero() || end.Sub(d.Now) > expirySoon {
			continue
		}
		verb := "expires on"
		if end.Before(d.Now) {
			verb = "expired on"
		}
		out = append(out, Notice{
			ID: "key-expires", Address: d.Address(), Level: Warn,
			Summary: fmt.Sprintf("The key %s %s %s", text(c, "kid"), verb, end.Format(time.DateOnly)),
			Detail:  "From then on the client can't sign in with it. Put the next key into the manifest before.",
		})
	}
	for _, c := range objects(d.Spec["credentials"]) {
		at, err := time.Parse(time.RFC3339, text(c, "retire_after"))
		kid, bad := kidOf(c)
		if err != nil || bad != nil || d.Now.Before(at) {
			continue
		}
		out = append(out, Notice{
			ID: "key-to-retire", Address: d.Address(), Level: Warn,
			Summary: fmt.Sprintf("The key %s was to be taken out of the manifest after %s", kid, at.UTC().Format(time.DateOnly)),
			Detail:  "Whoever holds it can still sign in. If its owner uses the next key by now, finish the rotation: ecplan rotate --finish.",
		})
	}
	return out
}
