package express

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
)

// OktaTeam is whom the guide's last step writes to (seed, Step 7; facts §1.1).
const OktaTeam = "expressconfig@okta.com"

// Handoff says what to write to Okta besides what the tenant tells.
type Handoff struct {
	// App is the name of the one application to hand over; "" is all of them. What fails
	// with another one does not matter to it.
	App string
	// OINName is the application's name in the OIN; "" takes that on the tenant.
	OINName string
	// OktaOrg is the Okta org that the application is developed in; "" leaves it to be filled in.
	OktaOrg string
	// From is the sender's address; "" leaves it to the mail program.
	From string
	// CustomDomain is the tenant's, "" if there is none.
	CustomDomain string
	// RequestKey asks for Okta's key instead of telling that all is done.
	RequestKey bool
	// Tool is the version of ecplan.
	Tool string
}

// Mail is one letter to Okta.
type Mail struct {
	App           string    `json:"app"`
	From          string    `json:"from,omitempty"`
	To            string    `json:"to"`
	Subject       string    `json:"subject"`
	Body          string    `json:"body"`
	Date          time.Time `json:"date"`
	BeforeSending []string  `json:"before_sending,omitempty"`
}

// Unready is why nothing can be handed over: set-up checks that fail.
type Unready struct{ Checks []Check }

func (e *Unready) Error() string {
	var b strings.Builder
	b.WriteString("nothing is handed over while set-up checks fail:")
	for _, c := range e.Checks {
		fmt.Fprintf(&b, "\n  - %s: %s (%s)", c.ID, c.Title, c.Found)
	}
	b.WriteString("\nRun 'ecplan verify' for what to do.")
	return b.String()
}

// Mails writes one letter an application from what verify found. A failing set-up check
// is an *Unready; when the key is asked for, checks of the key may fail.
func (h Handoff) Mails(s Setup, st *State, r Report) ([]Mail, error) {
	var apps []int
	var names []string
	for i, app := range s.Apps {
		names = append(names, app.Name)
		if h.App == "" || app.Name == h.App {
			apps = append(apps, i)
		}
	}
	if len(apps) == 0 {
		return nil, fmt.Errorf("no application is called %q; there are: %s", h.App, strings.Join(names, ", "))
	}
	var broken []Check
	keyOnly := true
	for _, c := range r.Broken() {
		if h.App != "" && !concerns(c, h.App) {
			continue
		}
		isKey := c.ID == "key" || strings.HasPrefix(c.ID, "key.") || strings.HasPrefix(c.ID, "key@")
		keyOnly = keyOnly && isKey
		if !isKey || !h.RequestKey {
			broken = append(broken, c)
		}
	}
	if len(broken) > 0 {
		err := error(&Unready{broken})
		if keyOnly {
			err = fmt.Errorf("%w\nOnly the key is missing: ask Okta for it with 'ecplan handoff --request-key'", err)
		}
		if ready := slices.DeleteFunc(names, func(name string) bool {
			return slices.ContainsFunc(broken, func(c Check) bool { return concerns(c, name) })
		}); len(ready) > 0 && h.App == "" {
			err = fmt.Errorf("%w\nReady to be handed over alone, with --app: %s", err, strings.Join(ready, ", "))
		}
		return nil, err
	}
	if h.From != "" {
		if _, err := mail.ParseAddress(h.From); err != nil {
			return nil, fmt.Errorf("the sender %q is no mail address: %w", h.From, err)
		}
	}
	if h.RequestKey && len(apps) > 1 {
		if without := slices.DeleteFunc(slices.Clone(apps), func(i int) bool { return !lacksKey(r, s.Apps[i].Name) }); len(without) > 0 {
			apps = without // who has a key is not asked for another one
		}
	}
	if h.OINName != "" && len(apps) > 1 {
		return nil, errors.New("one name in the OIN can't be that of several applications; name the application with --app, or leave it out and correct the names in the letters")
	}
	var out []Mail
	for _, i := range apps {
		out = append(out, h.letter(s.Apps[i], st, i, r))
	}
	return out, nil
}

// concerns reports whether a check is about an application, or about what all have in
// common. Where there are several, the checks of one end with @ and its name.
func concerns(c Check, app string) bool {
	_, of, one := strings.Cut(c.ID, "@")
	return !one || of == app
}

func lacksKey(r Report, app string) bool {
	return slices.ContainsFunc(r.Broken(), func(c Check) bool { return strings.HasPrefix(c.ID, "key") && concerns(c, app) })
}

func (h Handoff) letter(app App, st *State, i int, r Report) Mail {
	m := Mail{App: app.Name, From: h.From, To: OktaTeam, Date: r.At}
	name := h.OINName
	if name == "" {
		name = text(st.Found(app.App).Object, "name")
		m.BeforeSending = append(m.BeforeSending, fmt.Sprintf("Check that %q is the application's name in the OIN; it is its name on the tenant. (--oin-name)", printable(name)))
	}
	org := h.OktaOrg
	if org == "" {
		org = "(please fill in)"
		m.BeforeSending = append(m.BeforeSending, "Fill in the Okta org in which you develop the integration, such as trial-1234567. (--okta-org)")
	}
	custom := h.CustomDomain
	if custom == "" {
		custom = "none"
	}
	var kids []string
	for _, k := range st.Apps[i].Keys {
		kids = append(kids, text(k, "kid"))
	}
	capabilities := "single sign-on"
	if app.Provisions() {
		capabilities += ", SCIM provisioning"
	}
	rows := [][2]string{
		{"Application in the OIN", name},
		{"Okta OIN Integration Client ID", st.Found(app.Client).ID},
		{"Auth0 tenant domain", r.Domain},
		{"Custom domain", custom},
		{"Okta org", org},
		{"Capabilities", capabilities},
	}
	if len(kids) > 0 && !h.RequestKey {
		rows = append(rows, [2]string{"Your key on the client (kid)", strings.Join(kids, ", ")})
	}
	var b strings.Builder
	b.WriteString("Hello,\n\n")
	at := r.At.UTC().Format("2006-01-02 15:04 UTC")
	setup := 0
	for _, c := range r.Checks {
		if c.Class == ClassSetup && c.Result == OK && concerns(c, app.Name) {
			setup++
		}
	}
	if h.RequestKey {
		m.Subject = "Express Configuration for " + name + ": request for your public key"
		b.WriteString("we are setting up Express Configuration for our application. Please send us the public key\n(PEM) with which you sign in to our tenant.\n\n")
	} else {
		m.Subject = "Express Configuration for " + name + ": set up and ready"
		b.WriteString("we have completed all steps of the guide “Enable Express Configuration”, and our application\nis ready to support it. Please configure it in the OIN.\n\n")
	}
	for _, row := range rows {
		fmt.Fprintf(&b, "  %-32s%s\n", row[0], printable(row[1]))
	}
	if !h.RequestKey {
		fmt.Fprintf(&b, "\nThe set-up was verified on %s (ecplan %s): %s passed, none failed.\n", at, h.Tool, count(setup, "set-up check"))
	}
	b.WriteString("\nThank you, and kind regards\n")
	m.Body, m.Subject = b.String(), printable(m.Subject)
	m.BeforeSending = append(m.BeforeSending, sendingNotes(h, app, r)...)
	return m
}

// sendingNotes are what Okta's process wants today besides the guide's letter (facts §1.1).
func sendingNotes(h Handoff, app App, r Report) []string {
	out := []string{
		"Since April 2026 the key can be downloaded in the OIN Wizard (Express Submission) instead of asking for it; look there first.",
		"Okta answers the first letter with a public key in PEM format. It goes beside the manifest, into oin_client.public_key; then apply.",
	}
	if !h.RequestKey {
		out[1] = "Have a test organization with an admin account that Okta may use: Okta's testers sign in with its user name and password."
	}
	if app.Provisions() {
		out = append(out, "For SCIM the submission in the OIN wants the integration variable scim_base_url, and app.scim_base_url as the Base URL.")
	}
	for _, c := range r.Checks {
		if (c.Result == Warn || c.Result == Unknown) && concerns(c, app.Name) {
			out = append(out, fmt.Sprintf("Not settled yet: %s (%s).", c.Title, c.Found))
		}
	}
	return out
}

// printable keeps what comes from a tenant on one line, and visible.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// EML is the letter as a file that mail programs open as a draft (RFC 5322; X-Unsent is
// what Outlook goes by).
func (m Mail) EML() ([]byte, error) {
	var b bytes.Buffer
	if m.From != "" {
		from, err := mail.ParseAddress(m.From)
		if err != nil {
			return nil, fmt.Errorf("the sender %q is no mail address: %w", m.From, err)
		}
		fmt.Fprintf(&b, "From: %s\r\n", from)
	}
	fmt.Fprintf(&b, "To: %s\r\nSubject: %s\r\nDate: %s\r\nX-Unsent: 1\r\nMIME-Version: 1.0\r\n", m.To, mime.QEncoding.Encode("utf-8", m.Subject), m.Date.Format(time.RFC1123Z))
	b.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	w := quotedprintable.NewWriter(&b)
	if _, err := w.Write([]byte(strings.ReplaceAll(m.Body, "\n", "\r\n"))); err != nil {
		return nil, fmt.Errorf("write the letter: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("write the letter: %w", err)
	}
	return b.Bytes(), nil
}
