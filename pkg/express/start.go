package express

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"gopkg.in/yaml.v3"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// Start is what a first manifest is made from.
type Start struct {
	// Tenant is the name that the tenant is called by, "" to take it from Domain, its
	// canonical domain.
	Tenant, Domain string
	// App is the client id of the application, or its name if AppByName is set.
	App       string
	AppByName bool
	// AppName is the application's name where it is known: the document is called after it.
	AppName string
	// LoginURL is where a login of the application begins.
	LoginURL string
	// Key is the path of Okta's public key from the folder of the manifest; "" if there
	// is none yet.
	Key string
	// WithToken writes credentials as a token from the environment, not id and secret.
	WithToken bool
}

// Question is one thing that a first manifest must know.
type Question struct {
	// Flag is the name of the flag that answers it, Ask what people are asked.
	Flag, Ask string
	// Check returns an answer as it is to be written, or what is wrong with it.
	Check func(answer string) (string, error)
	// Optional questions may be left unanswered.
	Optional bool
}

// Questions are asked in this order.
func Questions() []Question {
	return []Question{
		{Flag: "domain", Ask: "The tenant's canonical domain (such as acme.eu.auth0.com)", Check: checkDomain},
		{Flag: "app", Ask: "The application that customers sign in to: its client id", Check: notEmpty},
		{Flag: "login-url", Ask: "Where a login of it begins (https address)", Check: checkURL},
		{Flag: "public-key", Ask: "The file with Okta's public key (leave empty if Okta has not sent it yet)", Check: trimmed, Optional: true},
	}
}

func trimmed(s string) (string, error) { return strings.TrimSpace(s), nil }

func notEmpty(s string) (string, error) {
	if s = strings.TrimSpace(s); s == "" {
		return "", errors.New("it must not be empty")
	}
	return s, nil
}

func checkDomain(s string) (string, error) {
	s = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "https://"), "/"))
	if u, err := url.Parse("https://" + s); err != nil || u.Host != s || u.Hostname() == "" {
		return "", errors.New("it is the host alone, such as acme.eu.auth0.com")
	}
	return s, nil
}

func checkURL(s string) (string, error) {
	s = strings.TrimSpace(s)
	if u, err := url.Parse(s); err != nil || u.Scheme != "https" || u.Host == "" {
		return "", errors.New("it must be an https address, such as https://crm.acme.example/login")
	}
	return s, manifest.CheckHTTPS(s)
}

var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$`)

// CheckName tells what is wrong with the name of a document.
func CheckName(s string) error {
	if !validName.MatchString(s) {
		return errors.New("it must be lower-case letters, digits, -, _ and dots, with a letter or digit at both ends")
	}
	return nil
}

// CheckKey tells whether a file's text is a key that Auth0 takes, and its id.
func CheckKey(text string) (kid string, err error) { return manifest.Thumbprint(text) }

// Candidates are the applications that Express Configuration can be for, in the order of
// their names, which are made printable; ids are their client ids.
func Candidates(clients []map[string]any) (names, ids []string) {
	clients = slices.DeleteFunc(slices.Clone(clients), func(c map[string]any) bool {
		meta, _ := c["client_metadata"].(map[string]any)
		t := text(c, "app_type")
		return t != "regular_web" && t != "spa" || meta[metadataApp] != nil
	})
	slices.SortFunc(clients, func(a, b map[string]any) int {
		return cmp.Or(cmp.Compare(text(a, "name"), text(b, "name")), cmp.Compare(text(a, "client_id"), text(b, "client_id")))
	})
	for _, c := range clients {
		names = append(names, printable(text(c, "name")))
		ids = append(ids, text(c, "client_id"))
	}
	return names, ids
}

var startTemplates = template.Must(template.New("start").Parse(`{{define "express.yaml"}}# Okta Express Configuration for one application: the whole of Okta's guide.
# What is not written here keeps the guide's value; 'ecplan render' shows all of it.
apiVersion: ecplan/v1
kind: ExpressConfiguration
metadata:
  name: {{.Plain .Name}}
spec:
  app:
    {{if .AppByName}}name{{else}}client_id{{end}}: {{.Quote .App}} # the application that customers sign in to
  init_login_url: {{.Quote .LoginURL}} # where a login of it starts
{{- if .Key}}
  oin_client:
    public_key: {file: {{.Quote .Key}}} # the key that Okta sent
{{- else}}
  # Okta sends a public key once it knows the client id ('ecplan handoff --request-key'
  # asks for it). Put it beside this file, take the marks away and apply again.
  # oin_client:
  #   public_key: {file: okta-public-key.pem}
{{- end}}
{{end}}{{define "tenants.yaml"}}# The tenants. Credentials come from the environment: they never stand in a manifest.
apiVersion: ecplan/v1
kind: Tenant
metadata:
  name: {{.Plain .Tenant}}
spec:
  domain: {{.Quote .Domain}} # the canonical domain, never the custom one
{{- if .Local}}
  insecure: true # plain http: allowed for this computer only
{{- end}}
  auth:
{{- if .WithToken}}
    token: ${env.ECPLAN_TOKEN}
{{- else}}
    client_id: ${env.ECPLAN_CLIENT_ID}
    client_secret: ${env.ECPLAN_CLIENT_SECRET}
{{- end}}
{{end}}`))

// startView is a Start as the templates see it.
type startView struct {
	Start
	Name  string
	Local bool
}

// Quote writes a text as YAML takes it for nothing but text; ${ is a literal.
func (startView) Quote(s string) string { return strconv.Quote(strings.ReplaceAll(s, "${", "$${")) }

// Plain writes a name without quotation marks where YAML takes it for text.
func (startView) Plain(name string) (string, error) {
	text, err := yaml.Marshal(name)
	return strings.TrimSpace(string(text)), err
}

// Files are the first manifests, with comments, by name.
func (s Start) Files() (map[string][]byte, error) {
	host, _, err := net.SplitHostPort(s.Domain)
	if err != nil {
		host = s.Domain
	}
	ip := net.ParseIP(host)
	u, err := url.Parse(s.LoginURL)
	if err != nil {
		return nil, fmt.Errorf("the login URL can't be read: %w", err)
	}
	view := startView{Start: s, Local: host == "localhost" || ip != nil && ip.IsLoopback()}
	if s.AppByName {
		s.AppName = s.App
	}
	view.Name = documentName(s.AppName, documentName(u.Hostname(), "app"))
	name := strings.Split(host, ".")[0]
	if view.Local {
		name = "local"
	}
	view.Tenant = cmp.Or(s.Tenant, documentName(name, "tenant"))
	view.Key = filepath.ToSlash(s.Key)
	out := map[string][]byte{}
	for _, name := range []string{"express.yaml", "tenants.yaml"} {
		var b bytes.Buffer
		if err := startTemplates.ExecuteTemplate(&b, name, view); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		out[name] = b.Bytes()
	}
	return out, nil
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// documentName makes a document's name of a text.
func documentName(s, otherwise string) string {
	return cmp.Or(strings.Trim(notInNames.ReplaceAllString(strings.ToLower(s), "-"), "-"), otherwise)
}
