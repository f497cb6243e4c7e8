package auth0sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is one request on its way through a handler.
type call struct {
	s      *Server
	t      *tenant
	now    time.Time
	remote string // address
	method string
	route  *route
	path   string // as requested, escaped
	params map[string]string
	query  url.Values
	header http.Header
	raw    []byte // the body
	body   obj    // the body, if it is an object; never nil once checked
	items  []any  // the body, if it is an array
	who    *bearer

	// For the log: who calls, which secret a read shows, what a token request asks for
	// and why its client is not who it says.
	caller, scope, secret, reason string
	form                          map[string]string
}

// bearer is who calls, as far as the token says.
type bearer struct {
	all      bool            // the fixed bearer without TokenScopes
	scopes   map[string]bool // otherwise
	scope    string          // the same as the token has it
	clientID string          // "" for the fixed bearer
}

func (b *bearer) has(scopes ...string) bool {
	return b.all || slices.ContainsFunc(scopes, func(s string) bool { return b.scopes[s] })
}

// insufficient is the 403 of facts §3.0 (REC-dc, real).
func insufficient(kind string, scopes []string) answer {
	return failure(http.StatusForbidden, "insufficient_scope", "Insufficient scope, expected %s of: %s", kind, strings.Join(scopes, ","))
}

// admit checks bearer, scopes, path, query and body, in this order, and answers if
// something is wrong.
func (c *call) admit(contentType string) *answer {
	who, fail := c.authenticate()
	if fail != nil {
		return fail
	}
	c.who, c.caller, c.scope = who, who.clientID, who.scope
	if r := c.route; r.all && !who.all {
		if slices.ContainsFunc(r.scopes, func(s string) bool { return !who.scopes[s] }) {
			a := insufficient("all", r.scopes)
			return &a
		}
	} else if !who.has(r.scopes...) {
		a := insufficient("any", r.scopes)
		return &a
	}
	if fail := c.checkParameters(); fail != nil {
		return fail
	}
	return c.checkBody(contentType)
}

// checkParameters checks path and query (facts §3.0: invalid_uri, invalid_query_string).
func (c *call) checkParameters() *answer {
	known := map[string]bool{}
	for _, p := range c.route.op.Params {
		value, given := c.params[p.Name], true
		what, code := "Path", "invalid_uri"
		s, _ := api().resolve(p.Schema)
		if p.In == "query" {
			known[p.Name] = true
			if len(s.Type) == 1 && s.Type[0] == "array" && c.query.Has(p.Name+"[]") { // qs writes a list with brackets
				c.query[p.Name] = append(c.query[p.Name], c.query[p.Name+"[]"]...)
				c.query.Del(p.Name + "[]")
			}
			value, given = c.query.Get(p.Name), c.query.Has(p.Name)
			what, code = "Query", "invalid_query_string"
		}
		if !given {
			if p.Required {
				a := badRequest(code, "%s validation error: 'Missing required property: %s'.", what, p.Name)
				return &a
			}
			continue
		}
		var v any = value
		if len(s.Type) == 1 {
			switch s.Type[0] {
			case "integer":
				if n, err := strconv.ParseFloat(value, 64); err == nil {
					v = n
				}
			case "boolean":
				if value == "true" || value == "false" {
					v = value == "true"
				}
			case "array":
				v = anys(c.query[p.Name])
			}
		}
		if bad := api().check(p.Schema, v, p.Name, nil); bad != nil {
			bad.description = p.Description
			a := badRequest(code, "%s validation error: %s", what, bad.message())
			return &a
		}
	}
	for name := range c.query {
		// Paging and field selection are let through everywhere: credentials ignore
		// include_totals and per_page (REC-tf ClientAuthenticationMethodsPrivateKeyJWT).
		// Unknown others: UNCONFIRMED per endpoint, refused as z-schema words it.
		base := strings.TrimSuffix(name, "[]")
		pages := base == "page" || base == "per_page"
		if !known[base] && !pages && (c.route.strict || !tolerated[base]) {
			a := badRequest("invalid_query_string", "Query validation error: 'Additional properties not allowed: %s'.", name)
			return &a
		}
	}
	return nil
}

var tolerated = map[string]bool{
	"include_totals": true, "from": true, "take": true, "fields": true, "include_fields": true,
}

// invalidBody is a 400 about the body. The service behind /actions gives no error code
// (facts §3.0), but what does not fit the schema does not reach it (node-auth0 #740).
func (c *call) invalidBody(message string) *answer {
	a := badRequest("invalid_body", "%s", message)
	return &a
}

// checkBody reads the body and checks it against the operation's schema.
func (c *call) checkBody(contentType string) *answer {
	c.body = obj{}
	s := c.route.op.Body
	if s == nil {
		return nil // REC-tf Role: DELETE with a body of {}
	}
	raw := bytes.TrimSpace(c.raw)
	if len(raw) == 0 {
		if c.route.bodyless {
			return nil
		}
		raw = []byte("{}") // hapi: no payload is validated as an empty one; UNCONFIRMED
		contentType = ""
	}
	media, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	media = strings.TrimSpace(media)
	var v any
	var err error
	switch {
	case media == "" || strings.HasSuffix(media, "json"):
		v, err = decode(raw)
	case media == "application/x-www-form-urlencoded":
		v, err = decodeForm(raw)
	default:
		a := failure(http.StatusUnsupportedMediaType, "", "Unsupported Media Type") // hapi; UNCONFIRMED
		return &a
	}
	if err != nil {
		return c.invalidBody("Invalid request payload JSON format") // hapi; UNCONFIRMED
	}
	if bad := api().check(s, v, "", raw); bad != nil {
		return c.invalidBody("Payload validation error: " + bad.message())
	}
	switch v := v.(type) {
	case obj:
		c.body = v
	case []any:
		c.items = v
	}
	return nil
}

// decode reads one JSON value and nothing after it.
func decode(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// decodeForm reads a form, which the OAS names beside JSON for every operation. That its
// values stay strings, as hapi reads them, is UNCONFIRMED.
func decodeForm(raw []byte) (any, error) {
	values, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, err
	}
	o := obj{}
	for k, all := range values {
		if o[k] = anys(all); len(all) == 1 {
			o[k] = all[0]
		}
	}
	return o, nil
}

// stamp writes a time as most of the API does, stampNano as /actions does.
func stamp(t time.Time) string     { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
func stampNano(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }
