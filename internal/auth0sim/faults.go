package auth0sim

import (
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultGrammar explains --fault and Options.Faults.
const FaultGrammar = `WHICH [COUNT] = WHAT

WHICH  METHOD PATH    PATH below /api/v2 or from /, escaped as requested; * is a part
                      of it without a slash, ** any part: PATCH /clients/*
       METHOD         any path of that method; "any", "read" and "write" are methods too
COUNT  #N  #N-M  #N-  the Nth, Nth to Mth, or from the Nth request that WHICH names
       every N        each Nth of them
       p0.05          this share of them, drawn from the tenant's random number
WHAT   status N [before|after]    answer N; "after" has changed the state ("before" is the default)
       drop [before|after]        close the connection without an answer
       hang [before|after]        neither answer nor close until the client gives up
       truncate                   half of the answer (nothing, if it has no body), then close; the state has changed
       slow DURATION              the body, piece by piece, over DURATION
       delay DURATION             the answer, so much later
       429 [retry-after SECONDS]  too many requests

Examples: "write #3 = drop after", "POST /clients = status 503 after",
          "any every 10 = 429 retry-after 1", "GET /actions/actions/* #1-4 = slow 2s"`

// fault is one rule. seen counts the requests that it names.
type fault struct {
	spec          string
	method        string // upper case, or any, read, write
	path          *regexp.Regexp
	first, last   int
	every         int
	share         float64
	action        string
	status        int
	duration      time.Duration
	retryAfter    int
	hasRetryAfter bool
	seen          int
}

var faultMethods = []string{"ANY", "*", "READ", "WRITE", http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// SetFaults replaces the fault rules; none takes them all away.
func (s *Server) SetFaults(specs ...string) error {
	var all []*fault
	for _, spec := range specs {
		f, err := parseFault(spec)
		if err != nil {
			return err
		}
		all = append(all, f)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = all
	return nil
}

func parseFault(spec string) (*fault, error) {
	wrong := func(format string, args ...any) (*fault, error) {
		return nil, fmt.Errorf("fault %q: %s; a fault is\n%s", spec, fmt.Sprintf(format, args...), FaultGrammar)
	}
	which, what, found := strings.Cut(spec, "=")
	words := strings.Fields(which)
	if !found || len(words) == 0 {
		return wrong("it has no '='")
	}
	f := &fault{spec: spec, method: strings.ToUpper(words[0]), first: 1, last: int(^uint(0) >> 1), every: 1, share: 1}
	if !slices.Contains(faultMethods, f.method) {
		return wrong("%q is no method", words[0])
	}
	words = words[1:]
	if len(words) > 0 && strings.HasPrefix(words[0], "/") {
		f.path = glob(words[0])
		words = words[1:]
	}
	var err error
	switch {
	case len(words) == 0:
	case len(words) == 1 && words[0][0] == '#':
		from, to, ranged := strings.Cut(words[0][1:], "-")
		if f.first, err = strconv.Atoi(from); err != nil || f.first < 1 {
			return wrong("%q is no count", words[0])
		}
		if !ranged {
			f.last = f.first
		} else if to != "" {
			if f.last, err = strconv.Atoi(to); err != nil || f.last < f.first {
				return wrong("%q is no count", words[0])
			}
		}
	case len(words) == 2 && words[0] == "every":
		if f.every, err = strconv.Atoi(words[1]); err != nil || f.every < 1 {
			return wrong("%q is no count", words[1])
		}
	case len(words) == 1 && words[0][0] == 'p':
		if f.share, err = strconv.ParseFloat(words[0][1:], 64); err != nil || f.share < 0 || f.share > 1 || math.IsNaN(f.share) {
			return wrong("%q is no share", words[0])
		}
	default:
		return wrong("%q is no count", strings.Join(words, " "))
	}
	if err := f.parseAction(strings.Fields(what)); err != nil {
		return wrong("%v", err)
	}
	return f, nil
}

func (f *fault) parseAction(words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("it does not say what happens")
	}
	kind, rest := words[0], words[1:]
	when := ""
	if n := len(rest); n > 0 && (rest[n-1] == "before" || rest[n-1] == "after") {
		when, rest = rest[n-1], rest[:n-1]
	}
	var err error
	switch {
	case kind == "status" && len(rest) == 1:
		f.status, err = strconv.Atoi(rest[0])
		if err != nil || f.status < 200 || f.status > 599 {
			return fmt.Errorf("%q is no status", rest[0])
		}
	case (kind == "drop" || kind == "hang") && len(rest) == 0:
	case kind == "truncate" && len(rest) == 0 && when == "":
	case (kind == "slow" || kind == "delay") && len(rest) == 1 && when == "":
		if f.duration, err = time.ParseDuration(rest[0]); err != nil || f.duration < 0 {
			return fmt.Errorf("%q is no duration", rest[0])
		}
	case kind == "429" && when == "" && len(rest) == 0:
		f.status = http.StatusTooManyRequests
	case kind == "429" && when == "" && len(rest) == 2 && rest[0] == "retry-after":
		f.status, f.hasRetryAfter = http.StatusTooManyRequests, true
		if f.retryAfter, err = strconv.Atoi(rest[1]); err != nil || f.retryAfter < 0 {
			return fmt.Errorf("%q is no number of seconds", rest[1])
		}
	default:
		return fmt.Errorf("%q is nothing that can happen", strings.Join(words, " "))
	}
	f.action = kind
	if kind == "status" || kind == "drop" || kind == "hang" {
		if when == "" {
			when = "before"
		}
		f.action += " " + when
	}
	return nil
}

func glob(pattern string) *regexp.Regexp {
	if !strings.HasPrefix(pattern, "/api/") && !strings.HasPrefix(pattern, "/oauth/") && !strings.HasPrefix(pattern, "/.well-known/") {
		pattern = "/api/v2" + pattern
	}
	q := regexp.QuoteMeta(pattern)
	q = strings.ReplaceAll(q, `\*\*`, `.*`)
	q = strings.ReplaceAll(q, `\*`, `[^/]*`)
	return regexp.MustCompile("^" + q + "$")
}

// hits counts a request that the rule names and says whether it is its turn.
func (f *fault) hits(r *Request, random int64) bool {
	switch f.method {
	case "ANY", "*":
	case "READ":
		if r.Method != http.MethodGet {
			return false
		}
	case "WRITE":
		if r.Write == 0 {
			return false
		}
	default:
		if r.Method != f.method {
			return false
		}
	}
	if f.path != nil && !f.path.MatchString(r.Path) {
		return false
	}
	f.seen++
	if f.seen < f.first || f.seen > f.last || f.seen%f.every != 0 {
		return false
	}
	if f.share < 1 {
		h := fnv.New64a()
		fmt.Fprint(h, random, f.spec, f.seen)
		return float64(h.Sum64()%1_000_000)/1_000_000 < f.share
	}
	return true
}

// before says whether the fault comes in place of the handler.
func (f *fault) before() bool {
	return strings.HasSuffix(f.action, "before") || f.action == "429"
}

// early is what comes in place of the handler's answer; a drop and a hang have none.
func (f *fault) early(c *call) answer {
	if f.status == 0 {
		return answer{}
	}
	return f.answer(c)
}

// late is what becomes of an answer after the state has changed.
func (f *fault) late(c *call, a answer) answer {
	if f.action == "status after" {
		return f.answer(c)
	}
	return a
}

// answer has the rule's status, and the headers and body that go with it.
func (f *fault) answer(c *call) answer {
	var a answer
	switch f.status {
	case http.StatusNoContent, http.StatusNotModified:
		return answer{status: f.status}
	case http.StatusTooManyRequests:
		a = tooManyRequests(c.path == tokenPath)
		a.header = http.Header{}
		setLimit(a.header, idleLimit, 0, c.now.Add(time.Duration(max(1, f.retryAfter))*time.Second))
		if f.hasRetryAfter {
			a.header.Set("Retry-After", strconv.Itoa(f.retryAfter))
		}
	default:
		a = failure(f.status, "", "%s", faultText(f.status))
	}
	a.encoded = encode(a.body)
	return a
}

func faultText(status int) string {
	if status == http.StatusInternalServerError {
		return "An internal server error occurred" // hapi's
	}
	return http.StatusText(status)
}

func (f *fault) silent() bool { return strings.HasPrefix(f.action, "drop") || f.hangs() }
func (f *fault) hangs() bool  { return strings.HasPrefix(f.action, "hang") }

// write sends a body as the fault has it.
func (f *fault) write(s *Server, w http.ResponseWriter, r *http.Request, body []byte) {
	flush := http.NewResponseController(w).Flush
	switch f.action {
	case "truncate":
		w.Write(body[:len(body)/2]) //nolint:errcheck // the client may be gone
		flush()                     //nolint:errcheck // as above
		panic(http.ErrAbortHandler)
	case "slow":
		steps := min(len(body), 50)
		for i := range steps {
			s.wait(r, f.duration/time.Duration(steps))
			w.Write(body[len(body)*i/steps : len(body)*(i+1)/steps]) //nolint:errcheck // the client may be gone
			flush()                                                  //nolint:errcheck // as above
		}
	default:
		w.Write(body) //nolint:errcheck // the client may be gone
	}
}
