package kind

import (
	"fmt"
	"slices"
	"time"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// Limits of a client's public keys (facts §3.4).
const (
	mostAttached = 2
	mostRecords  = 4
)

// kidOf returns the key id of a declared credential: the one given, else the
// RFC 7638 thumbprint of its key, as Auth0 computes it (facts §3.4).
func kidOf(c map[string]any) (string, error) {
	if kid := text(c, "kid"); kid != "" {
		return kid, nil
	}
	kid, err := manifest.Thumbprint(text(c, "pem"))
	if err != nil {
		return "", fmt.Errorf("credential %q: %w", text(c, "name"), err)
	}
	return kid, nil
}

// credentialBody is a declared credential as the API takes it.
func credentialBody(c map[string]any) map[string]any {
	b := manifest.Clone(c)
	for k, v := range b {
		if v == nil {
			delete(b, k)
		}
	}
	delete(b, "retire_after") // ecplan's own
	if b["credential_type"] == nil {
		b["credential_type"] = "public_key"
	}
	return b
}

func credentialChanges(declared []any) ([]Change, error) {
	var out []Change
	for _, c := range objects(declared) {
		kid, err := kidOf(c)
		if err != nil {
			return nil, err
		}
		out = append(out, Change{Path: "credentials[" + text(c, "name") + "]", Op: "add", After: shownCredential(c, kid)})
	}
	return out, nil
}

// shownCredential is what people see of a key: its id instead of its PEM.
func shownCredential(c map[string]any, kid string) map[string]any {
	out := map[string]any{"kid": kid}
	for _, k := range []string{"name", "alg", "credential_type", "expires_at"} {
		if v, ok := c[k]; ok && v != nil {
			out[k] = v
		}
	}
	if end := endOf(c); out["expires_at"] == nil && !end.IsZero() {
		out["expires_at"] = end.Format(time.RFC3339)
	}
	return out
}

// endOf is the end of a key's validity, as it is given or as its certificate says; zero
// if it has none.
func endOf(c map[string]any) time.Time {
	if end, err := time.Parse(time.RFC3339, text(c, "expires_at")); err == nil {
		return end.UTC()
	}
	if c["parse_expiry_from_cert"] != true {
		return time.Time{}
	}
	key, err := manifest.ReadKey(text(c, "pem"))
	if err != nil {
		return time.Time{}
	}
	return key.Until
}

// credentialSteps brings the keys that a client signs in with to the declared ones:
// new keys are added first, then the list is replaced in one request, and only then
// do the former keys go, each in a step of its own, for that can't be undone.
func credentialSteps(d Desired, o Observed) ([]Step, error) {
	declared := objects(d.Spec["credentials"])
	attached, spare := objects(o.Spec["credentials"]), objects(o.Spec["spare_credentials"])
	var steps []Step
	var list []any // what will be attached: ids, or references to ids
	var needs, wanted, shown []string
	for _, c := range declared {
		kid, err := kidOf(c)
		if err != nil {
			return nil, err
		}
		if slices.Contains(wanted, kid) {
			return nil, fmt.Errorf("the key %s is declared twice, and Auth0 takes a key only once. Take one of the two out", kid)
		}
		wanted = append(wanted, kid)
		shown = append(shown, kid)
		have := byKid(attached, kid)
		if have == nil {
			have = byKid(spare, kid)
		}
		if have == nil {
			s := newStep(d, o, "credential-"+kid, Create, "the client does not know this key")
			s.Request = Request{Method: "POST", Path: []any{clients.path, o.ID, "credentials"}, Body: credentialBody(c)}
			s.Scopes = []string{"create:client_credentials"}
			s.Outputs = []string{"id", "kid"}
			s.After = map[string]any{"kid": kid}
			s.Merged = map[string][]string{recordedKeys: {kid}}
			s.Changes = []Change{{Path: "credentials[" + text(c, "name") + "]", Op: "add", After: shownCredential(c, kid)}}
			s.Undo = Undo{Effect: Exact, How: "detaches and deletes the key"}
			steps = append(steps, s)
			needs = append(needs, s.ID)
			list = append(list, map[string]any{"id": manifest.Ref(s.ID, "id")})
			continue
		}
		if alg := text(c, "alg"); alg != "" && text(have, "alg") != "" && alg != text(have, "alg") {
			return nil, fmt.Errorf("the key %s is on the client with the algorithm %s, the manifest says %s: Auth0 can't change it in place and takes a key only once. Remove the key from the client first, or declare %[2]s", kid, text(have, "alg"), alg)
		}
		list = append(list, map[string]any{"id": have["id"]})
		if s, changes := expiryStep(d, o, c, have, kid); changes {
			steps = append(steps, s)
		}
	}
	adds := len(needs)
	if len(attached)+len(spare)+adds > mostRecords {
		return nil, fmt.Errorf("the client has %d keys on record and %d more are declared; Auth0 keeps at most %d. Delete one that is not in use (%s) and plan again",
			len(attached)+len(spare), adds, mostRecords, listed(kids(append(spare, attached...))))
	}
	for _, c := range spare { // a rotation that was cut short left it behind
		if kid := text(c, "kid"); !slices.Contains(wanted, kid) && slices.Contains(d.Record.Merged[recordedKeys], kid) {
			steps = append(steps, deleteCredential(d, o, c, "an earlier run added the key, and it is no longer declared or in use"))
		}
	}
	former := kids(attached)
	if slices.Equal(former, wanted) || sameSet(former, wanted) {
		return steps, nil
	}
	attach := newStep(d, o, "credentials", Attach, "the client signs in with other keys than declared")
	methods := map[string]any{"client_authentication_methods": map[string]any{"private_key_jwt": map[string]any{"credentials": list}}}
	if o.Object["token_endpoint_auth_method"] != nil {
		methods["token_endpoint_auth_method"] = nil // the two exclude each other (facts §3.3)
	}
	attach.Request = Request{Method: "PATCH", Path: []any{clients.path, o.ID}, Body: methods}
	attach.Scopes = []string{"update:client_credentials", "update:clients"}
	attach.Needs = needs
	attach.Before, attach.After = map[string]any{"credentials": anyList(former)}, map[string]any{"credentials": anyList(shown)}
	if method := o.Object["token_endpoint_auth_method"]; method != nil {
		attach.Before["token_endpoint_auth_method"] = method
	}
	attach.Changes = []Change{{Path: "credentials", Op: "change", Before: anyList(former), After: anyList(shown), Set: true}}
	attach.Undo = Undo{Effect: Exact, How: "lets the client sign in with the former keys again"}
	steps = append(steps, attach)
	for _, c := range attached {
		kid := text(c, "kid")
		if slices.Contains(wanted, kid) {
			continue
		}
		s := deleteCredential(d, o, c, "the key is no longer declared")
		s.Needs = []string{attach.ID}
		steps = append(steps, s)
	}
	return steps, nil
}

// recordedKeys is the field under which a run records the keys that it added.
const recordedKeys = "credentials"

// deleteCredential makes the write that deletes a key; it must be detached by then.
func deleteCredential(d Desired, o Observed, c map[string]any, reason string) Step {
	kid := text(c, "kid")
	s := newStep(d, o, "credential-"+kid, Delete, reason)
	s.Request = Request{Method: "DELETE", Path: []any{clients.path, o.ID, "credentials", text(c, "id")}}
	s.Scopes = []string{"delete:client_credentials"}
	s.Before = map[string]any{"kid": kid, "id": c["id"]}
	s.Released = map[string][]string{recordedKeys: {kid}}
	s.Changes = []Change{{Path: "credentials[" + text(c, "name") + "]", Op: "remove", Before: shownCredential(c, kid)}}
	s.Undo = Undo{Effect: None, How: "Auth0 never gives a key's PEM back"}
	return s
}

// leavesKeys reports whether d wants a client that signs in with keys to sign in in
// another way: Auth0 knows one way at a time (facts §3.3).
func leavesKeys(d Desired, client map[string]any) bool {
	return text(d.Spec, "token_endpoint_auth_method") != "" && len(attachedIDs(client)) > 0
}

// leaveKeys detaches the keys and sets the other way in one request. The keys stay on
// record, so that they can be attached again.
func leaveKeys(d Desired, o Observed) ([]Step, error) {
	rest := d
	rest.Spec = without(without(d.Spec, "token_endpoint_auth_method"), "credentials")
	steps, err := clientSteps(rest, o)
	if err != nil {
		return nil, err
	}
	method, former := text(d.Spec, "token_endpoint_auth_method"), anyList(kids(objects(o.Spec["credentials"])))
	s := newStep(d, o, "credentials", Attach, "the manifest wants the client to sign in with "+method+", and it signs in with keys")
	s.Request = Request{Method: "PATCH", Path: []any{clients.path, o.ID}, Body: map[string]any{"client_authentication_methods": nil, "token_endpoint_auth_method": method}}
	s.Scopes = []string{"update:client_credentials", "update:clients"}
	s.Before, s.After = map[string]any{"credentials": former}, map[string]any{"credentials": []any{}, "token_endpoint_auth_method": method}
	s.Changes = []Change{
		{Path: "credentials", Op: "remove", Before: former, Set: true},
		{Path: "token_endpoint_auth_method", Op: "add", After: method},
	}
	s.Undo = Undo{Effect: Exact, How: "lets the client sign in with its keys again"}
	return append(steps, s), nil
}

// expiryStep changes the only field of a key that can change (facts §3.4).
func expiryStep(d Desired, o Observed, c, have map[string]any, kid string) (Step, bool) {
	want, declared := c["expires_at"].(string)
	if !declared || sameTime(want, text(have, "expires_at")) {
		return Step{}, false
	}
	s := newStep(d, o, "credential-"+kid+"-expiry", Update, "the key's expiry differs from the manifest")
	s.Request = Request{Method: "PATCH", Path: []any{clients.path, o.ID, "credentials", have["id"]}, Body: map[string]any{"expires_at": want}}
	s.Scopes = []string{"update:client_credentials"}
	s.Before = map[string]any{"kid": kid, "expires_at": have["expires_at"]}
	s.After = map[string]any{"kid": kid, "expires_at": want}
	path := "credentials[" + text(have, "name") + "].expires_at"
	s.Changes = []Change{{Path: path, Op: "change", Before: have["expires_at"], After: want}}
	s.Undo = Undo{Effect: Exact, How: "puts the former expiry back"}
	if have["expires_at"] == nil {
		s.Changes[0].Op = "add"
		s.Undo = Undo{Effect: None, How: "a key that expires can't be made to last for ever again"} // facts §3.4
	}
	return s, true
}

func sameTime(a, b string) bool {
	x, err1 := time.Parse(time.RFC3339, a)
	y, err2 := time.Parse(time.RFC3339, b)
	return err1 == nil && err2 == nil && x.Equal(y)
}

func byKid(creds []map[string]any, kid string) map[string]any {
	for _, c := range creds {
		if text(c, "kid") == kid {
			return c
		}
	}
	return nil
}

func kids(creds []map[string]any) []string {
	out := make([]string, len(creds))
	for i, c := range creds {
		out[i] = text(c, "kid")
	}
	return out
}

func anyList(names []string) []any {
	out := make([]any, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
