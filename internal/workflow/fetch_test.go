package workflow

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// use runs the action by itself, as a step of a job without secrets.
func use(t *testing.T, s *site, with map[string]string) *job {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.playJob(1, event{name: "push", ref: "refs/heads/main", tree: root + "/examples/gitops"}, jobDef{
		Steps: []stepDef{{Uses: "actions/checkout@any"}, {Uses: "ecplan/ecplan@" + exampleVersion, With: with}},
	}, nil)
}

// TestFetch: nothing is run whose checksum is not the one that the release lists.
func TestFetch(t *testing.T) {
	needsTools(t, "bash", "curl", "jq")
	folder := built(t)
	sums, err := os.ReadFile(filepath.Join(folder, "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	sum := string(sums[:64])
	wrong := strings.Repeat("0", 64)
	for _, c := range []struct {
		name   string
		with   map[string]string
		sums   string // what the release lists
		says   string
		passes bool
	}{
		{name: "the release of the action's tag", sums: string(sums), says: "ecplan " + exampleVersion, passes: true},
		{name: "a release that is asked for", with: map[string]string{"version": exampleVersion, "sha256": sum}, sums: string(sums), says: "ecplan " + exampleVersion, passes: true},
		{name: "another program than is listed", sums: wrong + "  " + asset() + "\n", says: "Nothing of it is run."},
		{name: "no checksum", sums: sum + "  other\n", says: "lists no checksum"},
		{name: "a name that begins like it", sums: sum + "  " + asset() + ".old\n", says: "lists no checksum"},
		{name: "another checksum than the user pins", with: map[string]string{"sha256": wrong}, sums: string(sums), says: "the input 'sha256' wants"},
		{name: "no such release", with: map[string]string{"version": "v9.9.9"}, sums: string(sums), says: "Is there a release v9.9.9?"},
		{name: "a version that is a path", with: map[string]string{"version": "../../evil"}, sums: string(sums), says: "is not the tag of a release"},
		{name: "releases without https", with: map[string]string{"releases": "http://127.0.0.1:9"}, sums: string(sums), says: "can't be fetched"},
		{name: "a program at hand", with: map[string]string{"binary": filepath.Join(folder, asset())}, says: "ecplan " + exampleVersion, passes: true},
		{name: "no program at hand", with: map[string]string{"binary": "nothing"}, says: "is not a program"},
		{name: "no such command", with: map[string]string{"command": "plan; id"}, says: "There is no command"},
		{name: "a name that is a path", with: map[string]string{"name": "../x"}, says: "The input 'name' may have"},
		{name: "a checksum that is none", with: map[string]string{"checksum": "x"}, says: "is not the checksum of a plan"},
		{name: "a run without a checksum", with: map[string]string{"run-id": "5"}, says: "needs 'checksum' beside it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			serveReleases(t, s.home, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "checksums.txt") {
					fmt.Fprint(w, c.sums)
					return
				}
				http.FileServer(http.Dir(folder)).ServeHTTP(w, r)
			}))
			with := map[string]string{"command": "validate", "manifests": "auth0"}
			for k, v := range c.with {
				with[k] = v
			}
			j := use(t, s, with)
			log := j.log.String()
			has(t, "the log", log, c.says)
			if ran := strings.Contains(log, "ecplan "+exampleVersion+" go"); ran != c.passes {
				t.Errorf("the program ran: %v, want %v:\n%s", ran, c.passes, log)
			}
			if c.passes != (j.conclusion == "success") {
				t.Errorf("the job ended as %s:\n%s", j.conclusion, log)
			}
		})
	}
}
