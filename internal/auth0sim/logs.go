package auth0sim

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// keptLogs bounds a tenant's log: the newest events. (Auth0 keeps them for days, by
// plan; a search reaches 1,000.)
const keptLogs = 2000

// eventLog is what a tenant logged. Reads of the API are logged too, at the same time.
type eventLog struct {
	mu     sync.Mutex
	events []event // oldest first
	last   int
}

// event is one entry, rendered when it is asked for: reads are to stay fast.
type event struct {
	n                       int // from 1, in the order of logging
	at                      time.Time
	kind                    string // its type (log-event-type-codes below https://auth0.com/docs)
	description             string
	clientID, clientName    string
	remote, userAgent       string
	more                    obj    // what else it shows
	method, path, query     string // of a request of the Management API
	status                  int
	secret                  string // what a read showed
	audience, scope, reason string // of a token request
}

// maxLogText bounds each text of an event, in bytes, and maxLogEntry an event that is
// added: what a log holds must not grow by what callers send.
const (
	maxLogText  = 1000
	maxLogEntry = 16 << 10
)

func (l *eventLog) add(e event) {
	for _, text := range []*string{&e.description, &e.clientID, &e.userAgent, &e.path, &e.query, &e.audience, &e.reason} {
		*text = shortened(*text, maxLogText)
	}
	e.scope = shortened(e.scope, 10*maxLogText) // events share the token's
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.n = l.last
	l.events = append(l.events, e)
	if len(l.events) > keptLogs+keptLogs/4 {
		l.events = append([]event(nil), l.events[len(l.events)-keptLogs:]...)
	}
}

func shortened(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

func (l *eventLog) newest() []event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events[max(0, len(l.events)-keptLogs):])
}

// log notes what was done, with the state held. What Auth0 does not log is not logged
// here: calls of the Management API that fail (sapi is the "Successful management API
// write event", mgmt_api_read is "only emitted if a secret is returned"; there is no
// type for a failure any more: log-event-type-codes, auth0/auth0-log-schemas).
func (c *call) log(pattern string, a answer) {
	e := event{at: c.now, remote: c.remote, userAgent: c.header.Get("User-Agent"), clientID: c.caller}
	switch {
	case a.status == http.StatusTooManyRequests:
		e.kind, e.description = "api_limit", "Global limit has been reached" // its text is UNCONFIRMED
		e.method, e.path = c.method, c.path
		if e.clientID == "" {
			if who, fail := c.authenticate(); fail == nil {
				e.clientID = who.clientID
			}
		}
		if c.t.log.repeats(e) {
			return
		}
	case pattern == "token":
		if c.form["grant_type"] != "client_credentials" {
			return
		}
		e.kind, e.description = "seccft", "Client Credentials for Access Token" // a real entry: README of auth0/auth0-checkmate
		e.audience, e.scope, e.reason = c.form["audience"], c.form["scope"], c.reason
		body, _ := a.body.(obj)
		if a.status >= http.StatusBadRequest {
			e.kind, e.description = "feccft", str(body["error_description"])
		} else {
			e.scope = str(body["scope"])
		}
		if e.reason != "" {
			// A real entry: https://community.auth0.com/t/…/191217, "Invalid Client Error With
			// Private Key JWT Authentication".
			e.description = "Failed client authentication"
		}
	case c.route == nil || a.status >= http.StatusBadRequest:
		return
	case c.secret != "" && c.route.method == http.MethodGet:
		e.kind, e.secret = "mgmt_api_read", c.secret
	case c.route.method != http.MethodGet:
		e.kind = "sapi"
	default:
		return
	}
	if c.route != nil && e.method == "" {
		// A description is the operation's summary: "Create a role", "Get client by ID" (public
		// entries of both kinds).
		e.description, e.method, e.path, e.query, e.status = c.route.op.Summary, c.method, c.path, c.query.Encode(), a.status
		e.scope = c.scope
	} else if cl, known := c.t.clients.get(e.clientID); known {
		e.clientName = cl.field("name")
	}
	c.t.log.add(e)
}

// repeats says whether the newest event is alike: one api_limit stands for a run of
// them (how often Auth0 repeats it is UNCONFIRMED).
func (l *eventLog) repeats(e event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.events) == 0 {
		return false
	}
	last := l.events[len(l.events)-1]
	return last.kind == e.kind && last.clientID == e.clientID && last.path == e.path
}

// AddLog logs an event that the simulator does not make itself, as a login, for tests of
// what reads logs. Entry needs a type; date and log_id are made up if they are missing.
func (s *Server) AddLog(entry map[string]any) error {
	if str(entry["type"]) == "" {
		return fmt.Errorf("log an event: it has no type, as %q", "f")
	}
	if n := len(encode(entry)); n > maxLogEntry {
		return fmt.Errorf("log an event: it has %d bytes, and may have %d", n, maxLogEntry)
	}
	if date, given := entry["date"]; given {
		if _, err := time.Parse(time.RFC3339, str(date)); err != nil {
			return fmt.Errorf("log an event: its date: %w", err)
		}
	}
	s.current().log.add(event{at: s.o.Now(), kind: str(entry["type"]), more: clone(entry)})
	return nil
}

// logID has the form of Auth0's: 900, the time of logging, and digits (REC-rb).
func (e *event) logID() string {
	if id := str(e.more["log_id"]); id != "" {
		return id
	}
	return "900" + strings.Replace(e.at.UTC().Format("20060102150405.000"), ".", "", 1) + fmt.Sprintf("%036d", e.n)
}

// show renders an event: the fields are those of auth0/auth0-log-schemas, of the recorded
// sapi entries (REC-rb Auth0_Api_V2_Logs), which name neither a client nor a user, and of
// the real seccft entry in the README of auth0/auth0-checkmate. Bodies are left out of
// details: what Auth0 masks in them, no source tells as a whole.
func (t *tenant) show(e *event) obj {
	name, _, _ := strings.Cut(t.domain, ".")
	ip, _, err := net.SplitHostPort(e.remote)
	if err != nil {
		ip = "127.0.0.1"
	}
	id := e.logID()
	o := obj{
		"date": stamp(e.at), "type": e.kind, "log_id": id, "_id": id, "id": id, "tenant_name": name, "environment_name": "simulator",
		"$event_schema": obj{"version": "1.0.0"}, "isMobile": false,
	}
	if e.more != nil {
		merge(o, clone(e.more))
		return o
	}
	// What an API's client calls itself is not recognised (REC-rb).
	merge(o, obj{"description": e.description, "client_name": e.clientName, "ip": ip, "user_agent": "Other 0.0.0 / Other 0.0.0"})
	if e.clientID != "" {
		o["client_id"] = e.clientID
	}
	switch e.kind {
	case "seccft", "feccft":
		merge(o, obj{"audience": e.audience, "scope": e.scope, "connection_id": "", "hostname": t.domain, "client_ip": ip, "location_info": obj{}, "user_id": "", "user_name": ""})
		if e.kind == "seccft" {
			o["details"] = obj{"actions": obj{"executions": []any{}}}
		} else if e.reason != "" {
			o["details"] = obj{"client_authentication_error": e.reason}
		}
	case "api_limit":
		o["hostname"], o["details"] = t.domain, obj{"request": obj{"method": e.method, "path": e.path}}
	default:
		query := obj{}
		values, _ := url.ParseQuery(e.query) // it was encoded, and perhaps cut
		for k := range values {
			query[k] = values.Get(k)
		}
		details := obj{
			"request": obj{
				"method": strings.ToLower(e.method), "path": e.path, "query": query, "userAgent": e.userAgent, "channel": "api", "ip": ip,
				"body": nil, "auth": obj{"user": obj{}, "strategy": "jwt", "credentials": obj{"scopes": e.scopes()}},
			},
			"response": obj{"statusCode": e.status, "body": obj{}},
		}
		if e.secret != "" {
			details["accessedSecrets"] = []any{e.secret}
		}
		o["details"] = details
	}
	return o
}

// scopes are those of the token that a request of the Management API bore.
func (e *event) scopes() []any {
	if e.scope != "" || e.clientID != "" {
		return anys(strings.Fields(e.scope))
	}
	return everyScope()
}

// everyScope is what the fixed bearer has.
var everyScope = sync.OnceValue(func() []any {
	var all []any
	for _, s := range managementScopes() {
		all = append(all, object(s)["value"])
	}
	return all
})

// logSearch is the search of logs (log-search-query-syntax): nothing is folded.
var logSearch = &dialect{bare: []string{"client_name", "connection", "description", "ip", "log_id", "type", "user_name"}}

// searchable are the fields that log-search-query-syntax lists; that a query for another
// finds nothing is UNCONFIRMED.
var searchable = map[string]bool{
	"client_id": true, "client_name": true, "connection": true, "connection_id": true, "description": true, "date": true, "hostname": true, "ip": true,
	"log_id": true, "organization_id": true, "user_id": true, "user_name": true, "user_agent": true, "strategy": true, "strategy_type": true, "type": true,
}

func (c *call) listLogs() answer {
	if c.query.Has("search") { // the way of searching before q
		return badRequest("invalid_query_string", "The simulator does not know 'search'. Use 'q'.")
	}
	if c.query.Has("from") {
		return c.logsFrom(c.query.Get("from"))
	}
	all := c.t.log.newest()
	slices.Reverse(all) // without sort the one that was logged last is first (REC-rb)
	items := make([]obj, len(all))
	q := strings.TrimSpace(c.query.Get("q"))
	from, to := 0, len(all)
	if q == "" && !c.query.Has("sort") {
		from, to = c.window(len(all), 0) // what no page shows need not be rendered
	}
	for i := from; i < to; i++ {
		items[i] = c.t.show(&all[i])
	}
	if q != "" {
		fits, err := logSearch.parseQuery(q)
		if err != nil {
			return badQuery(err)
		}
		items = slices.DeleteFunc(items, func(o obj) bool {
			return !fits(func(field string) []any {
				if !searchable[field] {
					return nil
				}
				return leaves(o, field)
			})
		})
	}
	if fail := c.sort(items); fail != nil {
		return *fail
	}
	from, to = c.window(len(items), 0)
	for i := from; i < to; i++ {
		items[i] = c.fields(items[i])
	}
	return c.page(style{
		key: "logs", length: true, pageTotal: true,
		// https://github.com/tfadeyi/auth0-simple-exporter/issues/69
		capped: "Requesting page {page} exceeds the allowed maximum of 1000 records: please consider searching by checkpoint https://auth0.com/docs/logs/retrieve-log-events-using-mgmt-api#retrieve-logs-by-checkpoint",
	}, items, nil)
}

// logsFrom lists what was logged after an event, oldest first; all other parameters but
// take are ignored, and a Link header leads on, at the end to where it came from
// (retrieve-log-events-using-mgmt-api below https://auth0.com/docs).
func (c *call) logsFrom(from string) answer {
	take := min(c.intQuery("take", 50), 100)
	all := c.t.log.newest()
	slices.SortStableFunc(all, func(a, b event) int { return strings.Compare(a.logID(), b.logID()) })
	out := []obj{}
	next := from
	for _, e := range all {
		if id := e.logID(); id > from && len(out) < take {
			out = append(out, c.t.show(&e))
			next = id
		}
	}
	a := ok(out)
	a.header = http.Header{"Link": {fmt.Sprintf(`<https://%s%s?from=%s&take=%s>; rel="next"`, c.t.domain, c.path, url.QueryEscape(next), strconv.Itoa(take))}}
	return a
}

func (c *call) getLog() answer {
	for _, e := range c.t.log.newest() {
		if e.logID() == c.params["id"] {
			return ok(c.t.show(&e))
		}
	}
	return failure(http.StatusNotFound, "", "Log not found.") // OAS; its code UNCONFIRMED
}
