package workflow

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

const (
	repository   = "acme/tenants"
	repositoryID = 42
	bot          = "github-actions[bot]"
)

// site is a repository on a GitHub, with all that is kept of it.
type site struct {
	t *testing.T
	// mu is held by the test, but for the time that a step's program runs: then whoever
	// it asks works on the rest.
	mu           sync.Mutex
	api          *httptest.Server
	home         string                       // of the runner's user
	environments map[string]map[string]string // secrets, by environment
	permissions  map[string]map[string]string // of each job's token
	lastRun      int64
	runs         map[int64]event
	comments     []*comment
	pulls        map[int]*pull
	artifacts    []*artifact
	caches       []kept
	// played are all jobs that ran.
	played []*job
	// requests lists what the API was asked, a line each.
	requests []string
}

type comment struct {
	ID    int64 `json:"id"`
	issue int
	Body  string            `json:"body"`
	User  map[string]string `json:"user"`
	URL   string            `json:"html_url"`
}

type pull struct {
	Number   int            `json:"number"`
	MergedAt any            `json:"merged_at"`
	MergeSHA string         `json:"merge_commit_sha"`
	Base     map[string]any `json:"base"`
	contains string         // another commit that it has
}

// file is a file that is kept, with its mode as far as what keeps it does.
type file struct {
	data []byte
	mode uint32
}

type artifact struct {
	name    string
	run     int64
	branch  string
	repo    int
	created int
	expired bool
	files   map[string]file
}

// kept is an entry of the cache. Runs see those of their own ref, of the branch that
// they are to be merged into, and of main.
type kept struct {
	key, ref, path string
	files          map[string]file
}

func newSite(t *testing.T) *site {
	s := &site{
		t: t, home: t.TempDir(), lastRun: 100, runs: map[int64]event{}, pulls: map[int]*pull{},
		permissions: map[string]map[string]string{}, environments: map[string]map[string]string{},
	}
	s.api = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.api.Close)
	return s
}

// grant makes a job's token.
func (s *site) grant(permissions map[string]string) string {
	token := fmt.Sprintf("ghs_canaryTokenOfJob%d", len(s.permissions))
	s.permissions[token] = permissions
	return token
}

var routes = []struct {
	method string
	path   *regexp.Regexp
	// needs is the permission, and whether reading is enough.
	needs, access string
	do            func(s *site, r *http.Request, id string) (int, any)
}{
	{"GET", regexp.MustCompile(`^/issues/(\d+)/comments$`), "pull-requests", "read", (*site).listComments},
	{"POST", regexp.MustCompile(`^/issues/(\d+)/comments$`), "pull-requests", "write", (*site).addComment},
	{"PATCH", regexp.MustCompile(`^/issues/comments/(\d+)$`), "pull-requests", "write", (*site).setComment},
	{"GET", regexp.MustCompile(`^/commits/([0-9a-f]{40})/pulls$`), "pull-requests", "read", (*site).listPulls},
	{"GET", regexp.MustCompile(`^/actions/artifacts$`), "actions", "read", (*site).listArtifacts},
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	code, answer := s.answer(r)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *site) answer(r *http.Request) (int, any) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	allowed, known := s.permissions[token]
	if !ok || !known {
		return http.StatusUnauthorized, map[string]string{"message": "Bad credentials"}
	}
	path, ours := strings.CutPrefix(r.URL.Path, "/repos/"+repository)
	for _, route := range routes {
		if m := route.path.FindStringSubmatch(path); ours && m != nil && r.Method == route.method {
			if got := allowed[route.needs]; got != "write" && got != route.access {
				return http.StatusForbidden, map[string]string{"message": "Resource not accessible by integration"}
			}
			return route.do(s, r, m[len(m)-1])
		}
	}
	return http.StatusNotFound, map[string]string{"message": "Not Found"}
}

// page cuts out the page that the request asks for.
func page[T any](r *http.Request, all []T) []T {
	size, _ := strconv.Atoi(r.FormValue("per_page"))
	number, _ := strconv.Atoi(r.FormValue("page"))
	if size < 1 || size > 100 {
		size = 30
	}
	from := min(max(number-1, 0)*size, len(all))
	return append([]T{}, all[from:min(from+size, len(all))]...)
}

func (s *site) listComments(r *http.Request, issue string) (int, any) {
	var out []*comment
	for _, c := range s.comments {
		if strconv.Itoa(c.issue) == issue {
			out = append(out, c)
		}
	}
	return http.StatusOK, page(r, out)
}

// body reads a comment's text. https://docs.github.com/en/rest/issues/comments
func body(r *http.Request) (string, bool) {
	var in struct {
		Body string `json:"body"`
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	return in.Body, err == nil && in.Body != "" && utf8.RuneCountInString(in.Body) <= 65536
}

func (s *site) addComment(r *http.Request, issue string) (int, any) {
	text, ok := body(r)
	number, _ := strconv.Atoi(issue)
	if !ok {
		return http.StatusUnprocessableEntity, map[string]string{"message": "Body is too long (maximum is 65536 characters)"}
	}
	return http.StatusCreated, s.says(bot, number, text)
}

// says adds somebody's comment.
func (s *site) says(who string, issue int, text string) *comment {
	c := &comment{ID: int64(9000 + len(s.comments)), issue: issue, Body: text, User: map[string]string{"login": who}}
	c.URL = fmt.Sprintf("https://github.com/%s/pull/%d#issuecomment-%d", repository, issue, c.ID)
	s.comments = append(s.comments, c)
	return c
}

func (s *site) setComment(r *http.Request, id string) (int, any) {
	text, ok := body(r)
	for _, c := range s.comments {
		if strconv.FormatInt(c.ID, 10) == id && ok {
			c.Body = text
			return http.StatusOK, c
		}
	}
	return http.StatusUnprocessableEntity, map[string]string{"message": "Validation Failed"}
}

func (s *site) listPulls(r *http.Request, sha string) (int, any) {
	out := []*pull{}
	for _, p := range s.pulls {
		if p.MergeSHA == sha || p.contains == sha {
			out = append(out, p)
		}
	}
	return http.StatusOK, page(r, out)
}

func (s *site) listArtifacts(r *http.Request, _ string) (int, any) {
	type row struct {
		Name    string         `json:"name"`
		Expired bool           `json:"expired"`
		Created string         `json:"created_at"`
		Run     map[string]any `json:"workflow_run"`
	}
	var out []row
	for _, a := range s.artifacts {
		if a.name == r.FormValue("name") {
			out = append(out, row{
				a.name, a.expired, fmt.Sprintf("2026-11-%02dT00:00:00Z", 1+a.created),
				map[string]any{"id": a.run, "repository_id": repositoryID, "head_repository_id": a.repo, "head_branch": a.branch},
			})
		}
	}
	return http.StatusOK, map[string]any{"total_count": len(out), "artifacts": page(r, out)}
}
