package report

import (
	"fmt"
	"io"
	"time"

	"github.com/ecplan/ecplan/pkg/express"
)

// IncidentsFormat is the version of the JSON form of incidents.
const IncidentsFormat = "ecplan/diagnose/v1"

type incidentsFile struct {
	Format    string             `json:"format"`
	Incidents []express.Incident `json:"incidents"`
}

// Incidents shows what happened when admins pressed the button, failures first.
func Incidents(w io.Writer, ins []express.Incident, o Options) error {
	switch o.Format {
	case Text, "":
	case JSON:
		if ins == nil {
			ins = []express.Incident{}
		}
		return writeJSON(w, incidentsFile{IncidentsFormat, ins})
	default:
		return unknownFormat("incidents", o.Format, Text, JSON)
	}
	t := newTextWriter(o)
	failed := 0
	for _, in := range ins {
		mark := "✓"
		if in.Failed {
			mark = "✗"
			failed++
		}
		head := fmt.Sprintf("%s  %s: %s", in.At.UTC().Format(time.DateTime), short(in.App, maxName), short(in.Says, maxSentence))
		if in.Times > 1 {
			head += fmt.Sprintf(" (%d times)", in.Times)
		}
		t.prose(0, t.mark(mark)(mark)+" ", head, nil)
		if !in.Failed {
			continue
		}
		if in.User != "" {
			t.prose(4, t.dim("who    "), short(in.User, maxName), nil)
		}
		t.prose(4, t.dim("Auth0  "), short(in.Type+": "+in.Description, maxSentence), nil)
		t.prose(4, "", short(in.Advice, maxDetail), nil)
	}
	if len(ins) > 0 {
		t.newline()
	}
	switch {
	case len(ins) == 0:
		t.prose(0, "", "Nothing was logged: nobody has pressed the button, or the logs of that time are gone.", t.bold)
	case failed == 0:
		t.prose(0, "", "Nothing went wrong.", t.bold)
	default:
		t.prose(0, "", count(failed, "thing")+" went wrong.", t.bad)
	}
	_, err := io.WriteString(w, t.out.String())
	return err
}
