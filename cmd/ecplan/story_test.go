package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

var update = flag.Bool("update", false, "write the expected output in testdata anew")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ecplan": overheard})
}

// TestStories runs testdata/*.txtar: each is a story with its input and the expected
// output in one file. Besides testscript's own commands there are
//
//	sim [tenants=N] [seed=FILE] [scopes=A,B] [rate=LIMIT] [fault=SPEC]…
//	               starts a tenant in this process; $SIM becomes its address and, in
//	               the manifests below examples, takes the place of 127.0.0.1:4010;
//	               those of further tenants take the place of 127.0.0.1:4011 and so on
//	tenant N       makes the Nth tenant the one that the commands below are about
//	fault [SPEC]…  replaces the tenant's faults
//	call METHOD PATH [BODY]
//	               changes the tenant behind ecplan's back
//	logged TYPE DESCRIPTION USER
//	               puts an event about the OIN client into the tenant's log: a login,
//	               which the simulator does not play
//	guess SECRET   asks for a token as the OIN client, with a secret that it does not have
//	requests       prints what the tenant was asked since the last time, sorted
//	steady FILE    prints a file (stdout, stderr) without what differs from run to run
//
// go test ./cmd/ecplan -run TestStories -update writes the expected output anew: read
// the difference before it is committed.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		UpdateScripts:      *update,
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Values[storyKey{}] = &story{}
			env.Setenv("ECPLAN_LOCAL_TOKEN", storyToken)
			env.Setenv(toldFile, filepath.Join(env.WorkDir, "told"))
			env.Defer(func() {
				if told := secretsIn(env.WorkDir); told != "" {
					env.T().Fatal(told)
				}
			})
			return os.CopyFS(filepath.Join(env.WorkDir, "examples"), os.DirFS(filepath.Join("..", "..", "examples")))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sim":   func(ts *testscript.TestScript, _ bool, args []string) { of(ts).start(ts, args) },
			"fault": func(ts *testscript.TestScript, _ bool, args []string) { ts.Check(of(ts).sim.SetFaults(args...)) },
			"tenant": func(ts *testscript.TestScript, _ bool, args []string) {
				n, err := strconv.Atoi(strings.Join(args, " "))
				ts.Check(err)
				of(ts).sim = of(ts).sims[n-1]
			},
			"call":     func(ts *testscript.TestScript, _ bool, args []string) { of(ts).call(ts, args) },
			"logged":   func(ts *testscript.TestScript, _ bool, args []string) { of(ts).logged(ts, args) },
			"guess":    func(ts *testscript.TestScript, _ bool, args []string) { of(ts).guess(ts, args) },
			"requests": func(ts *testscript.TestScript, _ bool, _ []string) { of(ts).requests(ts) },
			"steady": func(ts *testscript.TestScript, _ bool, args []string) {
				if len(args) != 1 {
					ts.Fatalf("usage: steady FILE")
				}
				fmt.Fprint(ts.Stdout(), of(ts).steady(ts.ReadFile(args[0])))
			},
		},
	})
}

// story is what one script has besides its folder.
type story struct {
	// sim is one of sims: the one that commands are about.
	sim  *auth0sim.Server
	sims []*auth0sim.Server
	// seed is what the tenant began with; ids in it are the same in every run.
	seed string
}

type storyKey struct{}

func of(ts *testscript.TestScript) *story { return ts.Value(storyKey{}).(*story) }

func (s *story) start(ts *testscript.TestScript, args []string) {
	o := auth0sim.Options{Token: ts.Getenv("ECPLAN_LOCAL_TOKEN")}
	tenants := 1
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "seed":
			s.seed = ts.ReadFile(value)
			o.Seed = []byte(s.seed)
		case "scopes":
			o.TokenScopes = strings.Split(value, ",")
		case "rate":
			o.RateLimit = value
		case "tenants":
			n, err := strconv.Atoi(value)
			ts.Check(err)
			tenants = n
		case "fault":
			o.Faults = append(o.Faults, value)
		default:
			ts.Fatalf("sim has no option %q", arg)
		}
	}
	var domains []string
	s.sims = nil
	for i := range tenants {
		o.Random = int64(i)
		sim, err := auth0sim.New(o)
		ts.Check(err)
		ts.Check(sim.Listen("127.0.0.1:0"))
		ts.Defer(func() { _ = sim.Close() })
		s.sims = append(s.sims, sim)
		domains = append(domains, exampleDomain(i), sim.Domain())
	}
	s.sim = s.sims[0]
	ts.Setenv("SIM", s.sim.Domain())
	ts.Check(filepath.WalkDir(ts.MkAbs("examples"), func(name string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(name, []byte(strings.NewReplacer(domains...).Replace(string(text))), 0o600)
	}))
}

// call sends a request that is not ecplan's; it counts among no requests.
func (s *story) call(ts *testscript.TestScript, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: call METHOD PATH [BODY]")
	}
	code, answer := callSim(s.sim, ts.Getenv("ECPLAN_LOCAL_TOKEN"), args[0], args[1], strings.Join(args[2:], ""))
	if code >= http.StatusBadRequest {
		ts.Fatalf("%s %s: %d %s", args[0], args[1], code, answer)
	}
	fmt.Fprint(ts.Stdout(), answer)
	s.sim.ResetRequests()
}

// oinClient is the id of the tenant's OIN client.
func (s *story) oinClient(ts *testscript.TestScript) string {
	_, answer := callSim(s.sim, ts.Getenv("ECPLAN_LOCAL_TOKEN"), http.MethodGet, "clients", "")
	var clients []struct {
		ID       string            `json:"client_id"`
		Metadata map[string]string `json:"client_metadata"`
	}
	ts.Check(json.Unmarshal([]byte(answer), &clients))
	for _, c := range clients {
		if c.Metadata["express_configure_sp_client_id"] != "" {
			return c.ID
		}
	}
	ts.Fatalf("the tenant has no OIN client")
	return ""
}

func (s *story) logged(ts *testscript.TestScript, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: logged TYPE DESCRIPTION USER")
	}
	ts.Check(s.sim.AddLog(map[string]any{"type": args[0], "description": args[1], "user_name": args[2], "client_id": s.oinClient(ts)}))
	s.sim.ResetRequests()
}

func (s *story) guess(ts *testscript.TestScript, args []string) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {s.oinClient(ts)}, "client_secret": args, "audience": {"https://" + s.sim.Domain() + "/api/v2/"},
	}
	r := httptest.NewRequest(http.MethodPost, s.sim.URL()+"/oauth/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.sim.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		ts.Fatalf("a guessed secret was answered with %d %s", w.Code, w.Body)
	}
	s.sim.ResetRequests()
}

// callSim sends a request to a tenant behind ecplan's back.
func callSim(sim *auth0sim.Server, token, method, path, body string) (code int, answer string) {
	r := httptest.NewRequest(method, sim.URL()+"/api/v2/"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	sim.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// exampleDomain is where the examples' manifests look for the simulator's tenants,
// which are counted from 0.
func exampleDomain(i int) string { return "127.0.0.1:" + strconv.Itoa(4010+i) }

// requests prints one line a request, reads before writes, ids left out.
func (s *story) requests(ts *testscript.TestScript) {
	var reads, writes []string
	for _, r := range s.sim.Requests() {
		line := r.Method + " " + anyID.ReplaceAllString(r.Path, "{id}")
		if r.Method == "GET" {
			reads = append(reads, line)
		} else {
			writes = append(writes, line)
		}
	}
	s.sim.ResetRequests()
	slices.Sort(reads)
	slices.Sort(writes)
	fmt.Fprintf(ts.Stdout(), "%d reads\n%d writes\n", len(reads), len(writes))
	for _, line := range slices.Concat(reads, writes) {
		fmt.Fprintln(ts.Stdout(), line)
	}
}

var (
	anyID = regexp.MustCompile(`\b(?:(?:rol|cgr|con|cred|org)_[0-9A-Za-z]{16,22}|[0-9a-f]{24}|[0-9A-Za-z]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b`)
	// unsteady is what no two runs have in common, and what stands for it.
	unsteady = []struct {
		found *regexp.Regexp
		shown string
	}{
		{regexp.MustCompile(`sha256:[0-9a-f]{8,64}`), "sha256:…"},
		{regexp.MustCompile(`\b20\d{6}T\d{6}(?:\.\d+)?Z?-[a-z0-9-]+-[0-9a-z]+\b`), "RUN"},
		{regexp.MustCompile(`\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z| UTC)?`), "TIME"},
		{regexp.MustCompile(`\b\d+(?:\.\d+)? ?(?:ms|s)\b`), "DURATION"},
	}
)

func (s *story) steady(text string) string {
	for i, sim := range s.sims {
		text = strings.ReplaceAll(text, sim.Domain(), exampleDomain(i))
	}
	for _, u := range unsteady {
		text = u.found.ReplaceAllString(text, u.shown)
	}
	return anyID.ReplaceAllStringFunc(text, func(id string) string {
		if strings.Contains(s.seed, id) {
			return id
		}
		return "ID"
	})
}
