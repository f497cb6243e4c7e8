package fleet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dop251/goja"

	"github.com/ecplan/ecplan/internal/auth0sim"
	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/planner"
)

const appsSeed = `{
 "clients": [
  {"client_id": "crm00000000000000000000000000000", "name": "crm", "app_type": "regular_web", "organization_usage": "allow"},
  {"client_id": "shop0000000000000000000000000000", "name": "shop", "app_type": "regular_web", "organization_usage": "allow"},
  {"client_id": "wiki0000000000000000000000000000", "name": "wiki", "app_type": "regular_web", "organization_usage": "allow"}
 ]
}`

func appID(name string) string { return name + strings.Repeat("0", 32-len(name)) }

func appDocs(names ...string) []object {
	var out []object
	for _, n := range names {
		out = append(out, doc("ExpressConfiguration", n, object{
			"app": object{"client_id": appID(n)}, "init_login_url": "https://" + n + ".example/login",
			"oin_client": object{"name": "Okta OIN Integration Client (" + n + ")"},
		}))
	}
	return out
}

// claimsOf plays a login for the Express Configuration API through client: the Actions
// that are live on the tenant run in their bound order, and the claims are what they set.
func claimsOf(state, client object) (claims object, thrown string, err error) {
	claims = object{}
	flow, _ := state["bindings"].(object)
	for _, b := range list(flow["post-login"]) {
		for _, e := range list(state["actions"]) {
			a := e.(object)
			if a["id"] != b.(object)["action"] {
				continue
			}
			v := liveVersion(a)
			if v == nil {
				continue
			}
			secrets := object{}
			for _, s := range list(v["secrets"]) {
				secrets[s.(object)["name"].(string)] = s.(object)["value"]
			}
			event, err := json.Marshal(object{
				"request": object{"query": object{"audience": "https://system.okta.com/actions/express-configure/v1"}},
				"client":  object{"metadata": client["client_metadata"]}, "organization": object{"id": "org_1"}, "secrets": secrets,
			})
			if err != nil {
				return nil, "", err
			}
			vm := goja.New()
			out, err := vm.RunString(`Object.hasOwn ??= (o, k) => Object.prototype.hasOwnProperty.call(o, k);
var exports = {}, out = {claims: {}, thrown: ""};
` + v["code"].(string) + `
exports.onExecutePostLogin(` + string(event) + `, {accessToken: {setCustomClaim: (k, v) => { out.claims[k] = v; }}}).catch((e) => { out.thrown = String(e); });
() => JSON.stringify(out)`)
			if err != nil {
				return nil, "", err
			}
			said, _ := goja.AssertFunction(out)
			text, err := said(goja.Undefined())
			if err != nil {
				return nil, "", err
			}
			var got struct {
				Claims object
				Thrown string
			}
			if err := json.Unmarshal([]byte(text.String()), &got); err != nil {
				return nil, "", err
			}
			for k, value := range got.Claims {
				claims[k] = value
			}
			thrown += got.Thrown
		}
	}
	return claims, thrown, nil
}

// liveVersion is the version of an Action that runs at logins now, nil if none does.
func liveVersion(a object) object {
	var live object
	var since time.Time
	for _, e := range list(a["versions"]) {
		v := e.(object)
		s, _ := v["live_since"].(string)
		at, err := time.Parse(time.RFC3339Nano, s)
		if err == nil && at.Year() > 1 && !at.After(time.Now()) && !at.Before(since) {
			live, since = v, at
		}
	}
	return live
}

// tellsApart checks that every OIN client on the tenant gets the claims of its own
// application, all of them, and no other's.
func (w *world) tellsApart(when string) (clients []string) {
	var state object
	if err := json.Unmarshal(w.sim.Snapshot(), &state); err != nil {
		w.t.Error(err)
		return nil
	}
	for _, e := range list(state["clients"]) {
		c := e.(object)
		metadata, _ := c["client_metadata"].(object)
		app, _ := metadata["express_configure_sp_client_id"].(string)
		if app == "" {
			continue
		}
		name := strings.TrimRight(app, "0")
		clients = append(clients, name)
		claims, thrown, err := claimsOf(state, c)
		if err != nil || thrown != "" || claims["sp_client_id"] != app || claims["init_login_uri"] != "https://"+name+".example/login" ||
			claims["management_api_audience"] != "https://"+w.sim.Domain()+"/api/v2/" {
			w.t.Errorf("%s a token for %s has the claims %v (%s, %v)", when, name, claims, thrown, err)
		}
	}
	slices.Sort(clients)
	return clients
}

// observe checks the claims before and after every write from now on, and lets the
// process die at one; 0 is none.
func (w *world) observe(dies int64, after bool) {
	var writes atomic.Int64
	hook := func(when string, counts bool) func(auth0sim.Request) bool {
		return func(q auth0sim.Request) bool {
			if q.Method == http.MethodGet {
				return true
			}
			w.tellsApart(fmt.Sprintf("%s %s %s", when, q.Method, q.Path))
			if !counts || writes.Add(1) != dies {
				return true
			}
			w.store.dead.Store(true)
			return false
		}
	}
	w.sim.SetHooks(hook("before", !after), hook("after", after))
}

// TestApplicationsStayApart: while applications come and go, every OIN client that there
// is gets its own application's claims, between any two requests, whatever dies where, and
// while the run is finished, done anew, or taken back.
func TestApplicationsStayApart(t *testing.T) {
	for _, change := range []struct {
		name        string
		first, then []string
	}{
		{"a second one", []string{"crm"}, []string{"crm", "shop"}},
		{"a third one", []string{"crm", "shop"}, []string{"crm", "shop", "wiki"}},
		{"the second goes", []string{"crm", "shop"}, []string{"crm"}},
		{"the first goes", []string{"crm", "shop"}, []string{"shop"}},
		{"one for another", []string{"crm", "shop"}, []string{"shop", "wiki"}},
	} {
		prepare := func(t *testing.T) *world {
			t.Helper()
			w := newWorld(t, []byte(appsSeed), appDocs(change.first...))
			if _, _, out := w.applyOnce(); !out.OK() {
				t.Fatal(out.Error())
			}
			if got := w.tellsApart("at first"); !slices.Equal(got, change.first) {
				t.Fatalf("at first there are clients for %v", got)
			}
			w.manifest(appDocs(change.then...))
			return w
		}
		calm := prepare(t)
		calm.observe(0, false)
		calm.sim.ResetRequests()
		if run, out := calm.prune(); run == "" || !out {
			t.Fatalf("%s: the run %q failed", change.name, run)
		}
		_, writes := calm.requests()
		if got := calm.tellsApart("in the end"); !slices.Equal(got, change.then) {
			t.Fatalf("%s: in the end there are clients for %v", change.name, got)
		}
		for at := 1; at <= writes; at++ {
			for _, after := range []bool{false, true} {
				for _, mode := range []string{modeResume, modeApply, modeRollback} {
					name := fmt.Sprintf("%s/write %d/after %v/%s", change.name, at, after, mode)
					if !sampled(name, 3) {
						continue
					}
					t.Run(name, func(t *testing.T) {
						w := prepare(t)
						w.observe(int64(at), after)
						run, done := w.prune()
						if done {
							t.Fatal("the process did not die")
						}
						w.heal()
						w.observe(0, false)
						w.mendApps(mode, run)
						want := change.then
						if mode == modeRollback {
							want = change.first
						}
						got := w.tellsApart("in the end")
						// A client that was deleted can't be had back, and its grant with it.
						deletes := slices.ContainsFunc(change.first, func(n string) bool { return !slices.Contains(change.then, n) })
						if (mode != modeRollback || !deletes) && !slices.Equal(got, want) {
							t.Errorf("in the end there are clients for %v, and not for %v", got, want)
						}
					})
				}
			}
		}
	}
}

// prune applies what the manifests say, and removes what they no longer declare.
func (w *world) prune() (run string, done bool) {
	w.t.Helper()
	target := w.open()
	p, err := target.Plan(context.Background(), fleet.PlanOptions{Mode: planner.Prune, Force: true})
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := target.Apply(context.Background(), p, w.options())
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Run, out.OK()
}

func (w *world) mendApps(mode, run string) {
	w.t.Helper()
	switch mode {
	case modeResume:
		if err := w.resume(run); err != nil {
			w.t.Fatal(err)
		}
	case modeApply:
		if err := w.settleAll(); err != nil {
			w.t.Fatal(err)
		}
		if run, done := w.prune(); run != "" && !done {
			w.t.Fatal("applying again failed")
		}
	default:
		if _, _, out, err := w.rollback(run, true); err != nil || !out.OK() {
			w.t.Fatal(err, out.Error())
		}
	}
}
