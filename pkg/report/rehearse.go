package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/express/rehearse"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// RehearsalFormat is the version of the JSON form of rehearsals.
const RehearsalFormat = "ecplan/rehearsal/v1"

type rehearsalFile struct {
	Format     string                `json:"format"`
	Passed     bool                  `json:"passed"`
	Rehearsals []rehearse.Transcript `json:"rehearsals"`
}

// Rehearsals shows transcripts: as text, JSON, or a Mermaid sequence diagram each.
func Rehearsals(w io.Writer, ts []rehearse.Transcript, o Options) error {
	switch o.Format {
	case Text, "":
		t := newTextWriter(o)
		for i := range ts {
			t.transcript(&ts[i])
		}
		_, err := io.WriteString(w, t.out.String())
		return err
	case JSON:
		f := rehearsalFile{Format: RehearsalFormat, Passed: true, Rehearsals: ts}
		for i := range ts {
			f.Passed = f.Passed && ts[i].Error == "" && ts[i].Failures() == 0
		}
		return writeJSON(w, f)
	case Mermaid:
		var b strings.Builder
		for i := range ts {
			sequence(&b, &ts[i])
		}
		_, err := io.WriteString(w, b.String())
		return err
	}
	return unknownFormat("a rehearsal", o.Format, Text, JSON, Mermaid)
}

func (t *textWriter) transcript(r *rehearse.Transcript) {
	t.prose(0, "", "Rehearsal for "+tenantTitle(tenantName{short(r.Tenant, maxName), short(r.Domain, maxName)}), t.bold)
	if r.Source != "" {
		t.prose(0, "", "Of "+short(r.Source, maxSentence)+".", t.dim)
	}
	for _, n := range r.Notes {
		t.prose(0, t.dim("i "), short(n, maxSentence), t.dim)
	}
	for _, a := range r.Acts {
		t.newline()
		t.prose(0, "", short(a.Title, maxSentence), t.bold)
		for i, s := range a.Steps {
			t.happening(i+1, s)
		}
	}
	t.newline()
	if r.Error != "" {
		for i, l := range block(r.Error, maxDetail) {
			t.prose(2, map[bool]string{true: t.bad("✗ "), false: "  "}[i == 0], l, nil)
		}
	}
	paint := t.bold
	if r.Error != "" || r.Failures() > 0 {
		paint = t.bad
	}
	t.prose(0, "", outcome(r), paint)
}

func outcome(r *rehearse.Transcript) string {
	switch {
	case r.Error != "":
		return "Not rehearsed."
	case r.Failures() > 0:
		return fmt.Sprintf("The rehearsal failed: %s.", count(r.Failures(), "step"))
	case r.Warnings() > 0:
		return fmt.Sprintf("Rehearsed: it works, with %s.", count(r.Warnings(), "warning"))
	}
	return "Rehearsed: it works, and what must be refused is refused."
}

func (t *textWriter) happening(n int, s rehearse.Step) {
	mark := resultMarks[s.Result]
	who := short(s.Who, maxName)
	t.prose(1, fmt.Sprintf("%2d %s ", n, t.mark(mark)(mark)), who+": "+short(s.Title, maxSentence), nil)
	for _, l := range s.Lines {
		for _, part := range block(l, maxDetail) {
			t.prose(7, "", part, t.dim)
		}
	}
	for _, name := range manifest.Keys(s.Data) {
		t.prose(7, "", short(name, maxName)+", decoded:", t.dim)
		for _, l := range indented(s.Data[name]) {
			t.prose(9, "", l, t.dim)
		}
	}
	if s.Advice != "" {
		t.prose(7, "→ ", short(s.Advice, maxDetail), nil)
	}
}

// indented is a value as JSON, a line each, made visible.
func indented(v any) []string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return []string{short(fmt.Sprint(v), maxValue)}
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	for i, l := range lines {
		lines[i] = short(l, maxCodeLine)
	}
	return lines
}

// sequence writes a rehearsal as a Mermaid sequence diagram
// (https://mermaid.js.org/syntax/sequenceDiagram.html).
func sequence(b *strings.Builder, r *rehearse.Transcript) {
	b.WriteString("sequenceDiagram\n")
	fmt.Fprintf(b, "  %%%% %s (%s)\n", mermaidText(short(r.Tenant, maxSentence)), mermaidText(short(r.Domain, maxSentence)))
	people := []string{"Admin", "Okta", "Auth0"}
	for _, a := range r.Acts {
		for _, s := range a.Steps {
			for _, who := range []string{s.Who, s.To} {
				if !slices.Contains(people, who) && who != "ecplan" {
					people = append(people, who)
				}
			}
		}
	}
	id := func(who string) string {
		if i := slices.Index(people, who); i >= 0 {
			return fmt.Sprintf("p%d", i)
		}
		return ""
	}
	for _, p := range people {
		fmt.Fprintf(b, "  participant %s as %s\n", id(p), mermaidText(short(p, maxSentence)))
	}
	for _, a := range r.Acts {
		fmt.Fprintf(b, "  note over p0,p2: %s\n", mermaidText(short(a.Title, maxSentence)))
		for _, s := range a.Steps {
			arrow, prefix := "->>", ""
			switch {
			case s.Result == express.Fail:
				arrow, prefix = "-x", "FAILS: "
			case s.Refused:
				arrow, prefix = "-x", "REFUSED: "
			}
			from, to := id(s.Who), id(s.To)
			if from == "" || to == "" {
				fmt.Fprintf(b, "  note over p0,p2: %s%s\n", prefix, mermaidText(short(s.Title, maxSentence)))
				continue
			}
			fmt.Fprintf(b, "  %s%s%s: %s%s\n", from, arrow, to, prefix, mermaidText(short(s.Title, maxSentence)))
			if s.Result != express.OK && len(s.Lines) > 0 {
				fmt.Fprintf(b, "  note right of %s: %s\n", to, mermaidText(short(s.Lines[len(s.Lines)-1], maxSentence)))
			}
		}
	}
}
