package manifest

import (
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// formatKey is the form of public keys.
const formatKey = "rsa-public-key"

// formats are the forms that texts must have, by the schemas' names of them. An error
// says in words what is wrong and what to do; it never holds a key's content.
var formats = map[string]func(string) error{
	"https-url":             httpsURL,
	"https-url-or-empty":    orEmpty(httpsURL),
	"absolute-url":          absoluteURL,
	"absolute-url-or-empty": orEmpty(absoluteURL),
	"callback-url":          absoluteURL,
	"url-with-placeholders": absoluteURL,
	"email-or-empty":        orEmpty(email),
	"date-time":             dateTime,
	"duration":              duration,
	"tenant-domain":         domain,
	"selector":              selector,
	formatKey:               func(s string) error { _, err := parsePublicKey(s); return err },
}

// formatNames says what a text that lacks a form is not.
var formatNames = map[string]string{
	"https-url":             "is not an https address",
	"https-url-or-empty":    "is not an https address",
	"absolute-url":          "is not an address",
	"absolute-url-or-empty": "is not an address",
	"callback-url":          "is not an address",
	"url-with-placeholders": "is not an address",
	"email-or-empty":        "is not an e-mail address",
	"date-time":             "is not a time",
	"duration":              "is not a duration",
	"tenant-domain":         "is not a tenant's domain",
	"selector":              "picks no tenants",
	formatKey:               "is not a public key that Auth0 takes",
}

// CheckHTTPS says what is wrong with a text that is to be an https address in a manifest.
func CheckHTTPS(s string) error { return httpsURL(s) }

func orEmpty(f func(string) error) func(string) error {
	return func(s string) error {
		if s == "" {
			return nil
		}
		return f(s)
	}
}

// placeholder is what Auth0 fills in within addresses, and its wildcard.
var placeholder = regexp.MustCompile(`\{[a-z_]+\}|\*`)

func parseURL(s string) (*url.URL, error) {
	switch {
	case s != strings.TrimSpace(s) || strings.ContainsAny(s, " \t\r\n"):
		return nil, errors.New("it holds spaces or line ends; take them out")
	case strings.ContainsAny(s, `'"`):
		return nil, errors.New("it holds quotes, which would become part of the value; take them out")
	}
	u, err := url.Parse(placeholder.ReplaceAllString(s, "x"))
	if err != nil || u.Scheme == "" {
		return nil, fmt.Errorf("it is %s; an address begins with a scheme, as in https://app.example.com/login", quoted(s))
	}
	return u, nil
}

func absoluteURL(s string) error {
	u, err := parseURL(s)
	if err != nil {
		return err
	}
	if (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() == "" {
		return fmt.Errorf("it is %s, which has no host", quoted(s))
	}
	return nil
}

func httpsURL(s string) error {
	u, err := parseURL(s)
	switch {
	case err != nil:
		return err
	case u.Scheme != "https":
		return fmt.Errorf("it begins with %s://; only https:// is allowed", u.Scheme)
	case u.Hostname() == "":
		return fmt.Errorf("it is %s, which has no host", quoted(s))
	case u.User != nil:
		return errors.New("it holds a user or a password; take them out")
	}
	return nil
}

func email(s string) error {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return fmt.Errorf("it is %s; write it as in help@example.com", quoted(s))
	}
	return nil
}

func dateTime(s string) error {
	if _, err := time.Parse(time.RFC3339, s); err != nil {
		return fmt.Errorf("it is %s; write it with date, time and zone, as in 2027-01-31T00:00:00Z", quoted(s))
	}
	return nil
}

func duration(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second || d > time.Hour {
		return fmt.Errorf("it is %s; write a number and a unit, from 1s to 1h, as in 30s", quoted(s))
	}
	return nil
}

var hostName = regexp.MustCompile(`^(?i:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.(?i:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?))*$`)

// domain checks host or host:port. What people paste instead is named.
func domain(s string) error {
	if u, err := url.Parse(s); err == nil && u.Scheme != "" && u.Host != "" {
		return fmt.Errorf("it is an address; write the domain alone: %s", printable(u.Host))
	}
	if host, rest, ok := strings.Cut(s, "/"); ok {
		return fmt.Errorf("it has a path (/%s); write the domain alone: %s", printable(rest), printable(host))
	}
	host, port := splitPort(s)
	if port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("its port is %s; a port is a number from 1 to 65535", quoted(port))
		}
		if !loopback(host) {
			return errors.New("it has a port, which is allowed only for a tenant on this computer (localhost, 127.0.0.1); Auth0's tenants have none")
		}
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		if !loopback(host) {
			return errors.New("it is an IP address; write the tenant's domain, as in acme.eu.auth0.com")
		}
		return nil
	}
	if !hostName.MatchString(host) || len(host) > 253 {
		return fmt.Errorf("it is %s; write it as in acme.eu.auth0.com", quoted(s))
	}
	if !strings.Contains(host, ".") && !loopback(host) {
		return fmt.Errorf("it is %s, which is not a whole domain; write it as in acme.eu.auth0.com", quoted(s))
	}
	return nil
}

// splitPort cuts a port off a host; an IPv6 address stays in brackets.
func splitPort(s string) (host, port string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		return s, ""
	}
	return s[:i], s[i+1:]
}

// loopback reports whether a host is this computer.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback()
}
