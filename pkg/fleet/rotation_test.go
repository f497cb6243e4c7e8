package fleet_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// oktaKey is a key pair of Okta's.
type oktaKey struct {
	name    string
	private *rsa.PrivateKey
}

func newOktaKey(t testing.TB, name string) oktaKey {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return oktaKey{name, private}
}

func (k oktaKey) pem(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&k.private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// rotator is a tenant on which Okta signs in with its keys at every moment of a change.
type rotator struct {
	*world
	client string
	keys   []oktaKey
	n      atomic.Int64
	// dies is the write at which the process dies; after says that it has its effect.
	dies  int64
	after bool
}

// signIn asks for a token as Okta does, with private_key_jwt, and says whether it got one.
func (r *rotator) signIn(k oktaKey) bool {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: k.private}, nil)
	if err != nil {
		r.t.Error(err)
		return false
	}
	now := time.Now()
	assertion, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": r.client, "sub": r.client, "aud": "https://" + r.sim.Domain() + "/",
		"jti": fmt.Sprintf("%s-%d", k.name, r.n.Add(1)), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}).Serialize()
	if err != nil {
		r.t.Error(err)
		return false
	}
	answer, err := http.DefaultClient.PostForm(r.sim.URL()+"/oauth/token", url.Values{
		"grant_type": {"client_credentials"}, "audience": {"https://" + r.sim.Domain() + "/api/v2/"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	})
	if err != nil {
		r.t.Error(err)
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// working names the keys that work now.
func (r *rotator) working() []string {
	var out []string
	for _, k := range r.keys {
		if r.signIn(k) {
			out = append(out, k.name)
		}
	}
	return out
}

// watch signs in before and after every write from now on, and kills the process at one.
func (r *rotator) watch(must []string) {
	var writes atomic.Int64
	check := func(when string, q auth0sim.Request) {
		if have := r.working(); !slices.ContainsFunc(must, func(k string) bool { return slices.Contains(have, k) }) {
			r.t.Errorf("%s %s %s only %v works, and %v must", when, q.Method, q.Path, have, must)
		}
	}
	isWrite := func(q auth0sim.Request) bool {
		return q.Method != http.MethodGet && !strings.HasPrefix(q.Path, "/oauth")
	}
	die := func(at int64) bool {
		if r.dies == 0 || at != r.dies {
			return true
		}
		r.store.dead.Store(true)
		return false
	}
	r.sim.SetHooks(func(q auth0sim.Request) bool {
		if !isWrite(q) {
			return true
		}
		check("before", q)
		return r.after || die(writes.Add(1))
	}, func(q auth0sim.Request) bool {
		if !isWrite(q) {
			return true
		}
		check("after", q)
		return !r.after || die(writes.Add(1))
	})
}

// rotationDocs declare the application with Okta's keys.
func rotationDocs(current, former string) []object {
	oin := object{"public_key": object{"file": current}}
	if former != "" {
		oin["former_key"] = object{"public_key": object{"file": former}, "retire_after": "2027-01-31T00:00:00Z"}
	}
	return []object{doc("ExpressConfiguration", "crm", object{"app": object{"name": "App"}, "init_login_url": "https://crm.example/login", "oin_client": oin})}
}

// newRotator makes a tenant that is set up with docs.
func newRotator(t *testing.T, keys []oktaKey, docs []object) *rotator {
	t.Helper()
	w := newWorld(t, []byte(`{"clients": [{"name": "App", "app_type": "regular_web", "organization_usage": "allow"}]}`), nil)
	for _, k := range keys {
		w.write(k.name+".pem", k.pem(t))
	}
	w.manifest(docs)
	if _, _, out := w.applyOnce(); !out.OK() {
		t.Fatal(out.Error())
	}
	return &rotator{world: w, keys: keys, client: w.find("clients", "name", "Okta OIN Integration Client")["client_id"].(string)}
}

// TestRotationNeverLocksOktaOut: while a rotation begins, the former key works at every
// moment; while it ends, the next one does; and where one key is put in the place of the
// other at once, one of the two. That holds when the process dies before or after any
// write, and while the run is finished, done anew, or taken back.
func TestRotationNeverLocksOktaOut(t *testing.T) {
	keys := []oktaKey{newOktaKey(t, "old"), newOktaKey(t, "new")}
	for _, phase := range []struct {
		name          string
		first, then   []object
		must          []string
		start, finish []string // which keys work
	}{
		{"begins", rotationDocs("old.pem", ""), rotationDocs("new.pem", "old.pem"), []string{"old"}, []string{"old"}, []string{"old", "new"}},
		{"ends", rotationDocs("new.pem", "old.pem"), rotationDocs("new.pem", ""), []string{"new"}, []string{"old", "new"}, []string{"new"}},
		{"at once", rotationDocs("old.pem", ""), rotationDocs("new.pem", ""), []string{"old", "new"}, []string{"old"}, []string{"new"}},
	} {
		calm := newRotator(t, keys, phase.first)
		if got := calm.working(); !slices.Equal(got, phase.start) {
			t.Fatalf("%s: at first %v works", phase.name, got)
		}
		calm.manifest(phase.then)
		calm.sim.ResetRequests()
		calm.watch(phase.must)
		if _, _, out := calm.applyOnce(); !out.OK() {
			t.Fatal(out.Error())
		}
		calm.sim.SetHooks(nil, nil)
		writes := 0
		for _, q := range calm.sim.Requests() {
			if q.Method != http.MethodGet && !strings.HasPrefix(q.Path, "/oauth") {
				writes++
			}
		}
		if got := calm.working(); !slices.Equal(got, phase.finish) {
			t.Fatalf("%s: in the end %v works", phase.name, got)
		}
		for at := 1; at <= writes; at++ {
			for _, after := range []bool{false, true} {
				for _, mode := range []string{modeResume, modeApply, modeRollback} {
					t.Run(fmt.Sprintf("%s/write %d/after %v/%s", phase.name, at, after, mode), func(t *testing.T) {
						r := newRotator(t, keys, phase.first)
						r.manifest(phase.then)
						r.dies, r.after = int64(at), after
						r.watch(phase.must)
						run, _, out := r.applyOnce()
						if out.OK() {
							t.Fatal("the process did not die")
						}
						r.heal()
						r.dies = 0
						r.watch(phase.must)
						r.mend(mode, run)
						r.sim.SetHooks(nil, nil)
						want := phase.finish
						if mode == modeRollback {
							want = phase.start
						}
						have := r.working()
						gone := at == writes && after && mode == modeRollback // a key that was deleted can't come back
						if !gone && !slices.Equal(have, want) || len(have) == 0 {
							t.Errorf("in the end %v works, and not %v", have, want)
						}
					})
				}
			}
		}
	}
}

// mend finishes a run, applies again, or takes the run back.
func (r *rotator) mend(mode, run string) {
	r.t.Helper()
	switch mode {
	case modeResume:
		if err := r.resume(run); err != nil {
			r.t.Fatal(err)
		}
	case modeApply:
		if err := r.settleAll(); err != nil {
			r.t.Fatal(err)
		}
		if _, _, out := r.applyOnce(); !out.OK() {
			r.t.Fatal(out.Error())
		}
	default:
		if _, _, out, err := r.rollback(run, true); err != nil || !out.OK() {
			r.t.Fatal(err, out.Error())
		}
	}
}

// TestCertificateEnds: a certificate's end of validity is the credential's, whether it
// comes with the client or later.
func TestCertificateEnds(t *testing.T) {
	key := newOktaKey(t, "old")
	until := time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.AddDate(-20, 0, 0), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.private.Public(), key.private)
	if err != nil {
		t.Fatal(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	for name, first := range map[string][]object{"with the client": rotationDocs("cert.pem", ""), "later": rotationDocs("old.pem", "")} {
		w := newWorld(t, []byte(`{"clients": [{"name": "App", "app_type": "regular_web"}]}`), nil)
		w.write("cert.pem", cert)
		w.write("old.pem", newOktaKey(t, "other").pem(t))
		for _, docs := range [][]object{first, rotationDocs("cert.pem", "")} {
			w.manifest(docs)
			if _, _, out := w.applyOnce(); !out.OK() {
				t.Fatal(out.Error())
			}
		}
		if _, p, _ := w.applyOnce(); len(p.Steps) > 0 {
			t.Errorf("%s: the last plan is not empty: %s", name, indent(p.Steps))
		}
		keys := list(w.find("clients", "name", "Okta OIN Integration Client")["credentials"])
		if len(keys) != 1 || keys[0].(object)["expires_at"] != "2040-01-02T03:04:05.000Z" {
			t.Errorf("%s: the credentials are %s", name, indent(keys))
		}
	}
}

// TestCertificateThatEndsSoon: the plan that adds it says so, and shows its end.
func TestCertificateThatEndsSoon(t *testing.T) {
	key := newOktaKey(t, "next")
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(0, 0, 20)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.private.Public(), key.private)
	if err != nil {
		t.Fatal(err)
	}
	end := c.NotAfter.UTC().Format(time.DateOnly)
	b := guide(t)
	told := func(when string) {
		t.Helper()
		n := 0
		for _, notice := range b.plan().Notices {
			if notice.ID == "key-expires" {
				if n++; !strings.Contains(notice.Summary, end) {
					t.Errorf("%s: %s", when, notice.Summary)
				}
			}
		}
		if n != 1 {
			t.Errorf("%s: the key's end is told %d times", when, n)
		}
	}
	b.write("okta-public-key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	told("with the client")
	if shown := indent(b.plan().Steps); !strings.Contains(shown, `"expires_at": "`+end) {
		t.Error("the plan does not show the end of the key")
	}
	b.apply()
	told("on the tenant")
}
