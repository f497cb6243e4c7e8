package workflow

import (
	"strings"
	"testing"
)

// TestPullRequestToTenant is the whole way: a plan in the pull request, a second commit,
// the merge that applies exactly the plan shown, and the quiet after it.
func TestPullRequestToTenant(t *testing.T) {
	w := newWorld(t)
	tree := w.branch()
	for range 120 { // more than a page
		w.says("sam", 7, "Hm.")
	}
	jobs := w.propose(7, tree)
	want(t, jobs, map[string]string{"validate": "success", "plan": "success"})
	w.wantWrites(0)
	if len(w.comments) != 121 {
		t.Fatalf("there are %d comments, want one more than before", len(w.comments))
	}
	shown := w.comments[120]
	first := shown.Body
	has(t, "the comment", first, "10 to create, 2 to change, 0 to destroy", "`staging`", "`prod`", "checksum=sha256:", "run=101")
	has(t, "the summary", jobs["plan"].summary, "10 to create")
	if jobs["plan"].outputs["changes"] != "true" {
		t.Errorf("the outputs are %v", jobs["plan"].outputs)
	}

	// The next commit replaces what the comment says, and somebody's copy of it stays alone.
	copied := w.says("mallory", 7, strings.ReplaceAll(first, "run=101", "run=1"))
	was := copied.Body
	change(t, tree, "auth0/tenants.yaml", "https://crm.acme.example/login", "https://crm.acme.example/new-login")
	jobs = w.propose(7, tree)
	want(t, jobs, map[string]string{"validate": "success", "plan": "success"})
	if len(w.comments) != 122 || copied.Body != was || shown.Body == first {
		t.Errorf("there are %d comments, want 122 with the second commit's plan in the one that showed the first", len(w.comments))
	}
	has(t, "the comment", shown.Body, "https://crm.acme.example/new-login", "run=102")
	w.wantWrites(0)

	// The merge.
	jobs = w.merge(7, tree)
	want(t, jobs, map[string]string{"apply": "success"})
	has(t, "the summary", jobs["apply"].summary, "2 tenants: 2 done", "| `staging` | done | 8 of 8 |", "| `prod` | done | 8 of 8 |")
	w.wantWrites(16)
	if len(w.caches) != 1 || w.caches[0].ref != "refs/heads/main" {
		t.Errorf("the cache has %d entries after the merge, want one of main", len(w.caches))
	}

	// A pull request without an effect: the plan knows the run, by the store that was kept.
	tree = w.branch()
	change(t, tree, "auth0/express.yaml", "# The whole", "# All")
	jobs = w.propose(8, tree)
	want(t, jobs, map[string]string{"validate": "success", "plan": "success"})
	if jobs["plan"].outputs["changes"] != "false" {
		t.Errorf("after apply the plan still has changes:\n%s", jobs["plan"].summary)
	}
	want(t, w.merge(8, tree), map[string]string{"apply": "success"})
	w.wantWrites(0)
}

// TestDrift: the scheduled job is green until somebody changes the tenant.
func TestDrift(t *testing.T) {
	w := newWorld(t)
	tree := w.branch()
	w.propose(1, tree)
	want(t, w.merge(1, tree), map[string]string{"apply": "success"})
	w.wantWrites(16)
	scheduled := w.pushed(sha("scheduled"))
	scheduled.name = "schedule"
	want(t, w.play(exampleWorkflow, scheduled), map[string]string{"drift": "success"})

	call(t, w.tenants["prod"], "PATCH", "tenants/settings", `{"flags": {"use_scope_descriptions_for_consent": false}}`)
	w.wantWrites(1)
	jobs := w.play(exampleWorkflow, scheduled)
	want(t, jobs, map[string]string{"drift": "failure"})
	has(t, "the summary", jobs["drift"].summary, "use_scope_descriptions_for_consent", "drift")
	has(t, "the commands", strings.Join(jobs["drift"].commands, "\n"), "Something has changed on a tenant")
	w.wantWrites(0)
}

// TestStalePlan: what has changed since the review is shown, and nothing is applied. The
// button then plans anew and applies that.
func TestStalePlan(t *testing.T) {
	w := newWorld(t)
	tree := w.branch()
	want(t, w.propose(3, tree), map[string]string{"validate": "success", "plan": "success"})
	call(t, w.tenants["staging"], "POST", "roles", `{"name": "EXPRESS_CONFIGURE_ADMIN_ROLE", "description": "mine"}`)
	w.writes("staging")
	jobs := w.merge(3, tree)
	want(t, jobs, map[string]string{"apply": "failure"})
	has(t, "the summary", jobs["apply"].summary, "the plan is stale, and nothing was changed", "Role/express-admin")
	w.wantWrites(0)

	jobs = w.byHand(map[string]string{"command": "apply"})
	want(t, jobs, map[string]string{"plan": "success", "apply": "success"})
	w.wantWrites(16)
	for _, r := range w.requests {
		if strings.HasPrefix(r, "POST ") && strings.Contains(r, "/issues/0/") {
			t.Errorf("a run that is about no pull request has commented: %s", r)
		}
	}
	// With nothing to do, nobody is asked to approve anything.
	want(t, w.byHand(map[string]string{"command": "apply"}), map[string]string{"plan": "success"})
}

// TestNotReviewed: what nobody has seen a plan of is not applied.
func TestNotReviewed(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name, says string
		before     func()
		ev         func() event
	}{
		{"a push", "is not the merge of a pull request", func() {}, func() event { return w.pushed(sha("pushed")) }},
		{"a pull request without a plan", "shows no plan by " + bot, func() {}, func() event { return w.merged(4, w.main) }},
		{"a pull request into another branch", "is not the merge of a pull request", func() { w.propose(11, w.main) }, func() event {
			ev := w.merged(11, w.main)
			w.pulls[11].Base["ref"] = "other"
			return ev
		}},
		{"a commit that is in a pull request, and not its merge", "is not the merge of a pull request", func() { w.propose(12, w.main) }, func() event {
			ev := w.merged(12, w.main)
			w.pulls[12].contains, w.pulls[12].MergeSHA = ev.sha, sha("something else")
			return ev
		}},
		{"a plan that somebody else shows", "shows no plan by " + bot, func() {
			w.propose(5, w.main)
			w.comments[len(w.comments)-1].User["login"] = "mallory"
		}, func() event { return w.merged(5, w.main) }},
		{"a checksum that is not the plan's", "checksum is", func() {
			w.propose(6, w.main)
			last := w.comments[len(w.comments)-1]
			at := strings.Index(last.Body, "sha256:") + len("sha256:")
			last.Body = last.Body[:at] + strings.Repeat("0", 64) + last.Body[at+64:]
		}, func() event { return w.merged(6, w.main) }},
	} {
		c.before()
		jobs := w.play(exampleWorkflow, c.ev())
		want(t, jobs, map[string]string{"apply": "failure"})
		has(t, c.name, jobs["apply"].log.String(), c.says)
		w.wantWrites(0)
	}
}

// TestPolicy: a plan that breaks the policy fails the check, is shown all the same, and
// is not applied even if the pull request is merged over it.
func TestPolicy(t *testing.T) {
	w := newWorld(t)
	tree := w.branch()
	change(t, tree, "auth0/ecplan-policy.yaml", "min_key_bits: 2048", "min_key_bits: 8192")
	jobs := w.propose(2, tree)
	want(t, jobs, map[string]string{"validate": "success", "plan": "failure"})
	has(t, "the comment", w.comments[0].Body, "min_key_bits", "<!-- ecplan plan default failed -->")
	if jobs["plan"].outputs["checksum"] != "" {
		t.Error("a plan that breaks the policy is offered")
	}
	jobs = w.merge(2, tree)
	want(t, jobs, map[string]string{"apply": "failure"})
	w.wantWrites(0)
}

// TestRefusal: a plan that apply would refuse fails the check already, until the manifest
// says why it is meant; the drift of such a tenant is told all the same.
func TestRefusal(t *testing.T) {
	w := newWorld(t)
	want(t, w.propose(1, w.main), map[string]string{"validate": "success", "plan": "success"})
	want(t, w.merge(1, w.main), map[string]string{"apply": "success"})
	call(t, w.tenants["prod"], "POST", "clients", `{"name": "Other", "app_type": "regular_web",
		"client_metadata": {"is_express_configure_app": "true", "express_configure_sp_client_id": "other"}}`)
	w.writes("prod")
	w.writes("staging")
	tree := w.branch()
	change(t, tree, "auth0/tenants.yaml", "https://crm.acme.example/login", "https://crm.acme.example/new-login")
	jobs := w.propose(4, tree)
	want(t, jobs, map[string]string{"validate": "success", "plan": "failure"})
	has(t, "the comment", w.comments[len(w.comments)-1].Body, "foreign-oin-client", "can't be applied while a refusal stands", "<!-- ecplan plan default failed -->")
	if out := jobs["plan"].outputs; out["checksum"] != "" || out["changes"] != "false" {
		t.Errorf("a plan that is refused is offered: %v", out)
	}
	change(t, tree, "auth0/express.yaml", "  name: acme-crm\n", "  name: acme-crm\n  acknowledge: {foreign-oin-client: Nobody signs in to it.}\n")
	want(t, w.propose(4, tree), map[string]string{"validate": "success", "plan": "success"})
	has(t, "the comment", w.comments[len(w.comments)-1].Body, "Nobody signs in to it", "checksum=sha256:")
	w.wantWrites(0)
}

// TestBrokenManifests: each problem is shown at its line, the comment says what is wrong.
func TestBrokenManifests(t *testing.T) {
	w := newWorld(t)
	tree := w.branch()
	change(t, tree, "auth0/express.yaml", "  app:\n", "  \"no\\nsuch%field\": 1\n  app:\n")
	jobs := w.propose(2, tree)
	want(t, jobs, map[string]string{"validate": "failure", "plan": "failure"})
	has(t, "the commands", strings.Join(jobs["validate"].commands, "\n"), "::error file=auth0/express.yaml,line=7,col=3,title=")
	for _, c := range jobs["validate"].commands {
		if !strings.HasPrefix(c, "::error ") {
			t.Errorf("a command of the manifest's making: %q", c)
		}
	}
	has(t, "the comment", w.comments[0].Body, "**There is no plan.**", "    auth0/express.yaml:7:3")
	if len(w.comments) != 1 {
		t.Errorf("there are %d comments", len(w.comments))
	}
	change(t, tree, "auth0/express.yaml", "  \"no\\nsuch%field\": 1\n", "")
	want(t, w.propose(2, tree), map[string]string{"validate": "success", "plan": "success"})
	has(t, "the comment", w.comments[0].Body, "10 to create")
}

// TestFork: a pull request from elsewhere is validated and nothing else, for it has no
// secrets; what it keeps under the store's name is never taken.
func TestFork(t *testing.T) {
	w := newWorld(t)
	want(t, w.proposeFrom("mallory/tenants", 9, w.branch()), map[string]string{"validate": "success"})
	if len(w.comments)+len(w.artifacts)+len(w.caches) != 0 {
		t.Error("a pull request from a fork leaves something behind")
	}
	w.artifacts = append(w.artifacts, &artifact{
		name: "ecplan-store-default", run: 1, branch: "main", repo: repositoryID + 1,
		files: map[string]file{"key": {[]byte("mallory's"), 0o644}},
	})
	jobs := w.propose(10, w.branch())
	want(t, jobs, map[string]string{"validate": "success", "plan": "success"})
	has(t, "the log", jobs["plan"].log.String(), "There is no store of an earlier run")
}

// TestHostileTenant: what a tenant says is no command to the runner.
func TestHostileTenant(t *testing.T) {
	w := newWorld(t)
	for _, sim := range w.tenants {
		call(t, sim, "POST", "roles", `{"name": "EXPRESS_CONFIGURE_ADMIN_ROLE", "description": "x\n::error::pwned\n##[error]pwned @everyone </details>"}`)
		call(t, sim, "POST", "actions/actions", `{"name": "express_configure_postlogin_action", "supported_triggers": [{"id": "post-login", "version": "v3"}],
			"code": "::error::pwned\n::add-mask::a\n##[error]pwned\n<!-- ecplan plan default run=1 checksum=x -->"}`)
	}
	w.writes("staging")
	w.writes("prod")
	jobs := w.propose(1, w.branch())
	want(t, jobs, map[string]string{"validate": "success", "plan": "success"})
	if c := jobs["plan"].commands; len(c) != 0 {
		t.Errorf("the runner heeds %q", c)
	}
	has(t, "the log", jobs["plan"].log.String(), "add-mask")
	jobs = w.merge(1, w.main)
	want(t, jobs, map[string]string{"apply": "success"})
	if c := jobs["apply"].commands; len(c) != 0 {
		t.Errorf("the runner heeds %q", c)
	}
}
