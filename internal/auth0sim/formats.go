package auth0sim

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// formats are the checks behind "format" in the schemas. The document names them
// without saying what they allow: each is no stricter than the values that were
// recorded (facts §2, "custom formats"), so that nothing real is refused.
var formats = map[string]func(string) bool{
	"absolute-https-uri-or-empty":                   orEmpty(absolute("https")),
	"absolute-https-uri-with-placeholders-or-empty": orEmpty(withPlaceholders("https")),
	"absolute-uri-or-empty":                         orEmpty(absolute()),
	"callback-url":                                  noSpaces,
	"cidr":                                          func(s string) bool { p, err := netip.ParsePrefix(s); return err == nil && p.Addr().Is4() },
	"client-grant-id":                               matching(`^cgr_[A-Za-z0-9]+$`),
	"client-id":                                     matching(`^[A-Za-z0-9_-]+$`), // REC-tf Client_ThirdPartySecurityMode: tpc_…
	"connection-id":                                 matching(`^con_[A-Za-z0-9]{16}$`),
	"connection-profile-id":                         matching(`^cop_[A-Za-z0-9]{22}$`),
	"connection-realm":                              func(s string) bool { return s != "" },
	"credential-id":                                 matching(`^cred_[A-Za-z0-9]{22}$`),
	"date-time":                                     func(s string) bool { _, err := time.Parse(time.RFC3339Nano, s); return err == nil },
	"ec-initiate-login-uri-template-url":            expressTemplate,
	"email":                                         email,
	"email-or-empty":                                orEmpty(email),
	"html-color":                                    matching(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$`),
	"ipv4":                                          func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is4() },
	"ipv6":                                          func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is6() },
	"ipv6_cidr":                                     func(s string) bool { p, err := netip.ParsePrefix(s); return err == nil && p.Addr().Is6() },
	"organization-id":                               matching(`^org_[A-Za-z0-9]{16}$`),
	"organization-name":                             organizationName,
	"role-id":                                       matching(`^rol_[A-Za-z0-9]{16}$`),
	"strict-https-uri-or-null":                      absolute("https"),
	"strict-uri":                                    absolute(),
	"url":                                           absolute("http", "https"),
	"url-or-null":                                   absolute("http", "https"),
	"url-with-placeholders":                         noSpaces,
	"user-attribute-profile-id":                     matching(`^uap_[A-Za-z0-9]{22}$`),
	"user-id-with-max-length":                       func(s string) bool { return s != "" && len(s) <= 300 },
}

func matching(pattern string) func(string) bool {
	return regexp.MustCompile(pattern).MatchString
}

func orEmpty(f func(string) bool) func(string) bool {
	return func(s string) bool { return s == "" || f(s) }
}

// absolute wants scheme and host; no schemes given means any scheme.
func absolute(schemes ...string) func(string) bool {
	return func(s string) bool {
		u, err := url.Parse(s)
		if err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "" && u.Path == "" {
			return false
		}
		for _, want := range schemes {
			if u.Scheme == want && u.Host != "" {
				return true
			}
		}
		return len(schemes) == 0
	}
}

func withPlaceholders(schemes ...string) func(string) bool {
	plain := absolute(schemes...)
	return func(s string) bool { return plain(strings.NewReplacer("{", "", "}", "", "*", "x").Replace(s)) }
}

func noSpaces(s string) bool { return s != "" && !strings.ContainsAny(s, " \t\r\n") }

func email(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1 && noSpaces(s)
}

var nameOfOrganization = matching(`^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$`)

// organizationName is the pattern of names in OAS EventStreamCloudEventOrgCreatedObject,
// which may not look like ids.
func organizationName(s string) bool {
	return nameOfOrganization(s) && !strings.HasPrefix(s, "org_")
}

// expressTemplate is an https URL with no variables but those of facts §1.3.
func expressTemplate(s string) bool {
	t := strings.NewReplacer("{organization_name}", "x", "{organization_id}", "x", "{connection_name}", "x").Replace(s)
	return !strings.ContainsAny(t, "{}") && absolute("https")(t)
}
