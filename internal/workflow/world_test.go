package workflow

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

const (
	// exampleVersion is the release that the example names.
	exampleVersion  = "v0.1.0"
	exampleWorkflow = root + "/examples/gitops/.github/workflows/ecplan.yml"
	// The clients that the workflow's environments have secrets for.
	readerID, readerSecret = "ReaderReaderReaderReaderReader01", "canary-secret-of-the-reader"
	writerID, writerSecret = "WriterWriterWriterWriterWriter01", "canary-secret-of-the-writer"
)

// program builds ecplan once, with the version of a release and otherwise as the tests
// build, which costs little beside them. How a release is built: TestRelease.
var program = sync.OnceValues(func() (string, error) {
	// The go command remembers a test's result while the files that it opened or asked for
	// are the same; it does not see those that the shell and the build use.
	for _, dir := range []string{"cmd", "pkg", "schemas", "internal/auth0sim", "scripts"} {
		if err := filepath.WalkDir(filepath.Join(root, dir), func(name string, _ os.DirEntry, err error) error {
			if err == nil {
				_, err = os.Stat(name)
			}
			return err
		}); err != nil {
			return "", err
		}
	}
	dir, err := os.MkdirTemp("", "ecplan-program-")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, asset())
	cmd := exec.Command("go", "build", "-ldflags", "-s -w -X main.version="+exampleVersion, "-o", name, "./cmd/ecplan")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("building ecplan: %w\n%s", err, out)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return dir, err
	}
	sums := fmt.Sprintf("%x  %s\n", sha256.Sum256(data), asset())
	return dir, os.WriteFile(filepath.Join(dir, "checksums.txt"), []byte(sums), 0o600)
})

// asset is the name of this machine's program in a release.
func asset() string {
	return "ecplan_" + exampleVersion + "_" + runtime.GOOS + "_" + runtime.GOARCH
}

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := program(); err == nil {
		_ = os.RemoveAll(dir) // a leftover in the folder for such is harmless
	}
	os.Exit(code)
}

// built returns the folder with what a release has for this machine.
func built(t *testing.T) string {
	t.Helper()
	dir, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// needsTools skips, visibly, where the shell has not what GitHub's runners have.
func needsTools(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: there is no %s here", tool)
		}
	}
}

// world is the example's repository, its tenants and all that its workflow meets.
type world struct {
	*site
	// tenants are staging and prod.
	tenants map[string]*auth0sim.Server
	// main is what is on the branch; pull requests begin with a copy of it.
	main string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	needsTools(t, "bash", "curl", "jq")
	w := &world{site: newSite(t), tenants: map[string]*auth0sim.Server{}, main: t.TempDir()}
	if err := os.CopyFS(w.main, os.DirFS(root+"/examples/gitops")); err != nil {
		t.Fatal(err)
	}
	for name, domain := range map[string]string{"staging": "acme-staging.eu.auth0.com", "prod": "acme.eu.auth0.com"} {
		sim, err := auth0sim.New(auth0sim.Options{ClientID: writerID, ClientSecret: writerSecret, Seed: seed(t), KeepBodies: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := sim.Listen("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sim.Close() })
		w.tenants[name] = sim
		change(t, w.main, "auth0/tenants.yaml", "domain: "+domain+"\n", "domain: "+sim.Domain()+"\n  insecure: true\n")
	}
	secrets := func(id, secret string) map[string]string {
		return map[string]string{
			"AUTH0_STAGING_CLIENT_ID": id, "AUTH0_STAGING_CLIENT_SECRET": secret,
			"AUTH0_PROD_CLIENT_ID": id, "AUTH0_PROD_CLIENT_SECRET": secret,
		}
	}
	w.environments["auth0-read"] = secrets(readerID, readerSecret)
	w.environments["auth0-write"] = secrets(writerID, writerSecret)
	serveReleases(t, w.home, http.FileServer(http.Dir(built(t))))
	t.Cleanup(w.holdSecrets)
	return w
}

// seed is the example's tenant with a client that may only read.
func seed(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(root + "/examples/express/tenant.json")
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]any
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	state["clients"] = append(state["clients"].([]any), map[string]any{
		"client_id": readerID, "client_secret": readerSecret, "name": "ecplan, reading", "app_type": "non_interactive",
		"grant_types": []string{"client_credentials"}, "token_endpoint_auth_method": "client_secret_post",
	})
	state["client_grants"] = append(state["client_grants"].([]any), map[string]any{
		"client_id": readerID, "audience": "https://{{domain}}/api/v2/",
		"scope": strings.Fields("read:resource_servers read:roles read:clients read:client_credentials read:client_grants read:actions read:tenant_settings"),
	})
	text, err = json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// change replaces a text that must be there in a file.
func change(t *testing.T, folder, file, from, to string) {
	t.Helper()
	name := filepath.Join(folder, file)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), from) {
		t.Fatalf("%s has no %q", file, from)
	}
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(string(text), from, to)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serveReleases makes curl find github.com here: its releases, with a certificate that
// the runner's user trusts.
func serveReleases(t *testing.T, home string, files http.Handler) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	self := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "github.com"}, DNSNames: []string{"github.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, self, self, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.StripPrefix("/ecplan/ecplan/releases/download/"+exampleVersion, files))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := filepath.Join(home, "ca.pem")
	rc := fmt.Sprintf("cacert = %q\nconnect-to = \"github.com:443:%s\"\n", ca, server.Listener.Addr())
	for name, text := range map[string][]byte{ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), filepath.Join(home, ".curlrc"): []byte(rc)} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// holdSecrets looks for secrets in all that the workflow leaves behind.
func (w *world) holdSecrets() {
	var canaries []string
	for _, env := range w.environments {
		for name, v := range env {
			if strings.HasSuffix(name, "SECRET") {
				canaries = append(canaries, v)
			}
		}
	}
	for token := range w.permissions {
		canaries = append(canaries, token)
	}
	look := func(where, text string) {
		for _, c := range canaries {
			if strings.Contains(text, c) {
				w.t.Errorf("%s has the secret %s", where, c)
			}
		}
	}
	for _, c := range w.comments {
		look("a comment", c.Body)
	}
	for _, a := range w.artifacts {
		for name, f := range a.files {
			look("the artifact "+a.name+", "+name, string(f.data))
		}
	}
	for _, c := range w.caches {
		for name, f := range c.files {
			look("the cache, "+name, string(f.data))
		}
	}
	for _, j := range w.played {
		look("a log", j.log.String())
		look("a summary", j.summary)
	}
}

// sha makes a commit's name of words.
func sha(words ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(words, " ")))
	return hex.EncodeToString(sum[:20])
}

// branch copies what is on main, for a pull request to change.
func (w *world) branch() string {
	dir := w.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(w.main)); err != nil {
		w.t.Fatal(err)
	}
	return dir
}

// propose is a commit on a pull request from a branch of the repository itself.
func (w *world) propose(number int, tree string) map[string]*job {
	return w.proposeFrom(repository, number, tree)
}

func (w *world) proposeFrom(repo string, number int, tree string) map[string]*job {
	w.t.Helper()
	return w.play(exampleWorkflow, event{
		name: "pull_request", ref: fmt.Sprintf("refs/pull/%d/merge", number), sha: sha("merge", fmt.Sprint(number, w.lastRun)), tree: tree,
		payload: map[string]any{
			"number": number,
			"pull_request": map[string]any{
				"number": number, "title": "$(touch /tmp/pwned); `id`; ${{ secrets.X }}",
				"head": map[string]any{"repo": map[string]any{"full_name": repo}, "ref": "$(touch pwned)"},
				"base": map[string]any{"ref": "main"},
			},
			"repository": map[string]any{"default_branch": "main"},
		},
	})
}

// merge merges a pull request into main, and runs what that starts.
func (w *world) merge(number int, tree string) map[string]*job {
	w.t.Helper()
	return w.play(exampleWorkflow, w.merged(number, tree))
}

func (w *world) merged(number int, tree string) event {
	commit := sha("merged", fmt.Sprint(number))
	w.main = tree
	w.pulls[number] = &pull{Number: number, MergedAt: "2026-11-22T10:00:00Z", MergeSHA: commit, Base: map[string]any{"ref": "main"}}
	return w.pushed(commit)
}

func (w *world) pushed(commit string) event {
	return event{name: "push", ref: "refs/heads/main", sha: commit, tree: w.main, payload: map[string]any{"repository": map[string]any{"default_branch": "main"}}}
}

// byHand starts the workflow with the button.
func (w *world) byHand(inputs map[string]string) map[string]*job {
	w.t.Helper()
	e := w.pushed(sha("by hand"))
	e.name, e.inputs = "workflow_dispatch", inputs
	return w.play(exampleWorkflow, e)
}

// writes counts what changed a tenant since the last time it was asked.
func (w *world) writes(tenant string) int {
	n := 0
	for _, r := range w.tenants[tenant].Requests() {
		if r.Method != http.MethodGet && strings.HasPrefix(r.Path, "/api/") {
			n++
		}
	}
	w.tenants[tenant].ResetRequests()
	return n
}

// wantWrites checks how many writes both tenants together have had.
func (w *world) wantWrites(want int) {
	w.t.Helper()
	if got := w.writes("staging") + w.writes("prod"); got != want {
		w.t.Errorf("the tenants had %d writes, want %d", got, want)
	}
}

// want checks how jobs ended; those that are not named must have been skipped.
func want(t *testing.T, jobs map[string]*job, conclusions map[string]string) {
	t.Helper()
	for name, j := range jobs {
		w, named := conclusions[name]
		if !named {
			w = "skipped"
		}
		if j.conclusion != w {
			t.Errorf("the job %s ended as %s, want %s:\n%s\n%s", name, j.conclusion, w, j.log.String(), j.summary)
		}
	}
}

func has(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s lacks %q:\n%s", what, p, text)
		}
	}
}
