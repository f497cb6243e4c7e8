package manifest

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ecplan/ecplan/schemas"
)

// KindTenant is the kind of the documents that declare a tenant.
const KindTenant = "Tenant"

// StandIn is the domain of the tenant that validation uses where none is declared, or
// where a domain comes from the environment. It can't exist (RFC 2606).
const StandIn = "tenant.invalid"

// Tenant is a declared tenant with everything filled in.
type Tenant struct {
	Name   string
	Labels map[string]string
	// Domain is the canonical domain: host or host:port.
	Domain string
	// CustomDomain is the domain that users log in at, "" if there is none.
	CustomDomain string
	// Insecure means plain http; loopback only.
	Insecure bool
	// CAFile is the path of a file of CA certificates, "" for the system's.
	CAFile string
	// Timeout bounds a request; 0 leaves it to whoever sends it.
	Timeout time.Duration
	// RateShare is the share of the rate limit that may be used, 0 < share ≤ 1; 0 if none is declared.
	RateShare float64
	Auth      Auth
	// Vars are the variables, those from the command line included. A sensitive one is
	// {"$secret": …}, without its value.
	Vars map[string]any
	Pos  Position
}

// info is what selectors ask of a tenant.
func (t *Tenant) info() TenantInfo { return TenantInfo{Name: t.Name, Labels: t.Labels} }

// onTenants reports whether documents of a kind declare what tenants get; the others
// say how tenants are reached and in which order.
func onTenants(kind string) bool {
	return kind != KindTenant && kind != KindVariables && kind != KindRollout
}

// Auth is how to sign in: ClientID with ClientSecret or PrivateKey (PEM), or Token
// alone. However it is printed, it does not show the values.
type Auth struct {
	ClientID, ClientSecret, PrivateKey, Token string
}

// String names the way of signing in, without its values.
func (a Auth) String() string {
	switch {
	case a.Token != "":
		return "token"
	case a.PrivateKey != "":
		return "private key"
	case a.ClientSecret != "":
		return "client secret"
	}
	return "none"
}

// GoString is for %#v and says no more than String.
func (a Auth) GoString() string { return "manifest.Auth{" + a.String() + "}" }

// MarshalJSON writes what String says.
func (a Auth) MarshalJSON() ([]byte, error) { return json.Marshal(a.String()) }

// MarshalYAML writes what String says.
func (a Auth) MarshalYAML() (any, error) { return a.String(), nil }

// LogValue logs what String says.
func (a Auth) LogValue() slog.Value { return slog.StringValue(a.String()) }

// checkAuth refuses credentials that are written into the manifest.
func (d *document) checkAuth() Diagnostics {
	var ds Diagnostics
	auth, _ := d.spec["auth"].(map[string]any)
	rule := schemas.Rules(KindTenant).Field("auth")
	for _, name := range Keys(auth) {
		if f := rule.Field(name); f == nil || !f.Sensitive {
			continue
		}
		switch v := auth[name].(type) {
		case map[string]any:
			if isElsewhere(v, rule.Field(name)) {
				continue
			}
		case string:
			if parts, ok := pieces(v); ok && len(parts) == 1 && parts[0].expr && strings.HasPrefix(parts[0].text, "env.") {
				continue
			}
		default:
			continue // of the wrong type, which is reported
		}
		path := "spec.auth." + name
		ds = append(ds, Diagnostic{
			Severity: Error, Pos: d.at(path), Address: d.address(), Path: path,
			Summary: path + " must not be written into the manifest",
			Detail: fmt.Sprintf("Whoever can read the repository could sign in with it, now and from its history. Write %s: ${env.NAME}, or {env: NAME}, or {file: path}; "+
				"if this was a real value, replace it at Auth0.", name),
		})
	}
	return ds
}

// sameDomain warns of two Tenants at one domain that is written out: what is meant for one
// reaches the other, and each takes the other's runs for somebody else's.
func sameDomain(docs []*document) Diagnostics {
	var ds Diagnostics
	first := map[string]*document{}
	for _, d := range docs {
		text, _ := d.spec["domain"].(string)
		if d.kind != KindTenant || text == "" || strings.Contains(text, "${") {
			continue
		}
		domain := strings.ToLower(text)
		other := first[domain]
		if other == nil {
			first[domain] = d
		} else if other.name != d.name {
			ds = append(ds, Diagnostic{
				Severity: Warning, Pos: d.at("spec.domain"), Address: d.address(), Path: "spec.domain",
				Summary: fmt.Sprintf("%s and %s have the same domain", other.address(), d.address()),
				Detail:  fmt.Sprintf("The other one stands at %s. What is meant for one reaches the other, and they are never changed side by side. Declare a tenant once.", other.at("spec.domain")),
			})
		}
	}
	return ds
}

// scope is where values are filled in: for one tenant, and one document after the other.
type scope struct {
	set    *Set
	in     Inputs
	tenant *Tenant
	// vars are the variables; a sensitive one is {"$secret": path} with its value in varSecrets.
	vars       map[string]any
	varSecrets map[string]string
	// loose takes a variable that is not set as one that is not known yet.
	loose bool
	// noRefs refuses references to resources, noFiles leaves files unread.
	noRefs, noFiles bool
	doc             *document
	secrets         map[string]string
	ds              Diagnostics
}

// scopeOf prepares filling in for the tenant called name, or for none ("").
func (s *Set) scopeOf(name string, in Inputs) (*scope, Diagnostics) {
	sc := &scope{set: s, in: in, tenant: &Tenant{Name: name, Domain: StandIn, Vars: map[string]any{}}, vars: map[string]any{}, varSecrets: map[string]string{}}
	for k, v := range in.Vars {
		sc.vars[k] = v
	}
	sc.tenant.Vars = sc.vars
	if name == "" {
		sc.loose = true
		return sc, nil
	}
	doc := s.tenant(name)
	if doc == nil {
		var names []string
		for _, t := range s.Tenants() {
			names = append(names, t.Name)
		}
		hint := sentences(didYouMean(name, names), listing("There are", names))
		if len(names) == 0 {
			hint = "The manifests declare no Tenant. Add a document of that kind."
		}
		return sc, Diagnostics{{Severity: Error, Summary: "there is no tenant " + quoted(name), Detail: hint}}
	}
	sc.fillTenant(doc)
	ds := sc.ds
	sc.ds = nil
	return sc, ds
}

// fillTenant fills in the Tenant's own document: first its domains, which may use the
// environment and --var, then its variables, which may use the domains, then the rest.
func (sc *scope) fillTenant(doc *document) {
	rule, t := schemas.Rules(KindTenant), sc.tenant
	sc.doc, sc.noRefs, sc.secrets = doc, true, map[string]string{}
	defer func() { sc.noRefs, sc.noFiles, sc.secrets = false, false, nil }()
	t.Labels, t.Pos = stringMap(doc.metadata["labels"]), doc.pos
	spec := map[string]any{}
	for _, f := range []string{"domain", "custom_domain"} {
		if v, ok := doc.spec[f]; ok {
			spec[f] = sc.value(v, rule.Field(f), "spec."+f)
		}
	}
	if d, ok := spec["domain"].(string); ok {
		t.Domain = strings.ToLower(d)
	}
	if d, ok := spec["custom_domain"].(string); ok {
		t.CustomDomain = strings.ToLower(d)
	}
	declared, _ := doc.spec["vars"].(map[string]any)
	vars := sc.fillVars(doc, declared)
	sc.varSecrets, sc.secrets = sc.secrets, map[string]string{}
	sc.vars, t.Vars = vars, vars
	sc.noFiles = true // credentials are not needed to validate
	for _, f := range Keys(doc.spec) {
		if f != "domain" && f != "custom_domain" && f != "vars" {
			spec[f] = sc.value(doc.spec[f], rule.Field(f), "spec."+f)
		}
	}
	r := sc.resource(doc, spec)
	sc.ds = append(sc.ds, CheckSpec(r)...)
	sc.settings(r)
}

// likeDeclared gives the text of --var the type of the value that it replaces.
func likeDeclared(text string, declared any) any {
	rule := &schemas.Rule{}
	switch declared.(type) {
	case bool:
		rule.Types = []string{"boolean"}
	case float64:
		rule.Types = []string{"number"}
	default:
		return text
	}
	return (&scope{}).settle(text, true, rule, "")
}

// settings takes the filled-in spec over.
func (sc *scope) settings(r *Resource) {
	t := sc.tenant
	t.Insecure, _ = r.Spec["insecure"].(bool)
	if host, _ := splitPort(t.Domain); t.Insecure && !loopback(host) && t.Domain != StandIn {
		sc.fail("spec.insecure", "insecure is allowed only for a tenant on this computer",
			"Plain http would show the credentials to everyone on the way. Take it out; a private CA is trusted with ca_file.")
	}
	if s, ok := r.Spec["timeout"].(string); ok {
		t.Timeout, _ = time.ParseDuration(s) // checked by the schema's format
	}
	t.RateShare, _ = r.Spec["rate_share"].(float64)
	if s, ok := r.Spec["ca_file"].(string); ok {
		t.CAFile = s
		if !filepath.IsAbs(s) {
			t.CAFile = filepath.Join(sc.doc.src.root, filepath.FromSlash(sc.doc.src.dir), s)
		}
		if info, err := os.Stat(t.CAFile); !sc.in.SyntaxOnly && (err != nil || !info.Mode().IsRegular()) {
			reason := "It is not a regular file."
			if err != nil {
				reason = sentence(plainError(err))
			}
			sc.fail("spec.ca_file", fmt.Sprintf("the file %s can't be read", quoted(s)), reason)
		}
	}
	auth, _ := r.Spec["auth"].(map[string]any)
	for name, to := range map[string]*string{
		"client_id": &t.Auth.ClientID, "client_secret": &t.Auth.ClientSecret,
		"private_key": &t.Auth.PrivateKey, "token": &t.Auth.Token,
	} {
		if p, ok := AsSecret(auth[name]); ok {
			*to = r.Secrets[p]
		} else {
			*to, _ = auth[name].(string)
		}
		*to = strings.TrimRight(*to, "\r\n") // files end with a line end, credentials do not
	}
}
