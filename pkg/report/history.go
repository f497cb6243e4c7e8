package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ecplan/ecplan/pkg/journal"
)

// HistoryFormat is the version of the JSON form of a list of runs.
const HistoryFormat = "ecplan/history/v1"

// PastRun is what a list of runs tells of one, and, with Record, all that there is to tell.
type PastRun struct {
	Run     string    `json:"run"`
	Tenant  string    `json:"tenant,omitempty"`
	Domain  string    `json:"domain,omitempty"`
	Started time.Time `json:"started"`
	// Seconds is the time from the first record to the last.
	Seconds float64 `json:"seconds"`
	// Outcome is the journal's word, or "damaged", or "nothing" for a run that never began.
	Outcome string `json:"outcome"`
	// Done, Failed, Unknown and Total count steps; what is neither was not started.
	Done    int `json:"done"`
	Failed  int `json:"failed"`
	Unknown int `json:"unknown"`
	Total   int `json:"steps"`

	Who            journal.Who `json:"who"`
	Tool           string      `json:"tool,omitempty"`
	ManifestDigest string      `json:"manifest_digest,omitempty"`
	PlanChecksum   string      `json:"plan_checksum,omitempty"`
	// RollsBack is the run that this one took back, TakenBackBy the last that took it
	// back and was not taken back itself.
	RollsBack   string `json:"rolls_back,omitempty"`
	TakenBackBy string `json:"taken_back_by,omitempty"`
	// Damage says what is wrong with the journal and where.
	Damage  string     `json:"damage,omitempty"`
	Resumed []Resumed  `json:"resumed,omitempty"`
	Record  []PastStep `json:"record,omitempty"`
}

// Resumed says when and by whom a run was taken up again.
type Resumed struct {
	Time time.Time   `json:"time"`
	Who  journal.Who `json:"who"`
}

// PastStep is a step as the journal tells it.
type PastStep struct {
	Step    string    `json:"step"`
	Action  string    `json:"action,omitempty"`
	Began   time.Time `json:"began"`
	Seconds float64   `json:"seconds"`
	// Outcome is "done", "failed", "waiting failed" or "unknown".
	Outcome string `json:"outcome"`
	// Settled says that the outcome was found out by asking the tenant later.
	Settled  bool   `json:"settled,omitempty"`
	ObjectID string `json:"object_id,omitempty"`
	Status   int    `json:"status,omitempty"`
	Code     string `json:"code,omitempty"`
	Message  string `json:"message,omitempty"`
	Request  string `json:"request"`
}

// Past tells of a run by its journal; whole adds what became of each step.
func Past(l *journal.Log, whole bool) PastRun {
	h := l.Header
	r := PastRun{
		Run: h.Run, Tenant: h.Tenant, Domain: h.Domain, Started: l.Started(), Seconds: l.Last().Sub(l.Started()).Seconds(),
		Outcome: string(l.Outcome()), Total: h.Steps, Who: h.Who, Tool: h.Tool, ManifestDigest: h.ManifestDigest,
		PlanChecksum: h.PlanChecksum, RollsBack: h.RollsBack,
	}
	for _, rec := range l.Records {
		switch rec.Type {
		case journal.TypeResumed:
			r.Resumed = append(r.Resumed, Resumed{rec.Time, *rec.Resumed})
		case journal.TypeIntent:
			if st := l.Steps[rec.Step]; st.IntentSeq == rec.Seq {
				s := pastStep(rec.Step, st)
				switch s.Outcome {
				case "done":
					r.Done++
				case "unknown":
					r.Unknown++
				default:
					r.Failed++
				}
				if whole {
					r.Record = append(r.Record, s)
				}
			}
		case journal.TypeHeader, journal.TypeDone, journal.TypeAwaited, journal.TypeFailed, journal.TypeEnd:
		}
	}
	return r
}

func pastStep(id string, st *journal.StepState) PastStep {
	s := PastStep{Step: id, Began: st.IntentTime, Seconds: st.LastTime.Sub(st.IntentTime).Seconds(), Outcome: "done", Request: st.Intent.Request}
	if st.Done != nil {
		s.Action, s.ObjectID, s.Settled = string(st.Done.Action), st.Done.ObjectID, st.Done.Settled
	}
	if f := st.Failed; f != nil {
		s.Outcome, s.Status, s.Code, s.Message, s.Settled = "failed", f.Status, f.Code, f.Message, f.Settled
		if f.Waiting {
			s.Outcome = "waiting failed"
		}
	}
	if st.Unsettled() {
		s.Outcome = "unknown"
	}
	return s
}

// History lists runs, newest first, as text or JSON.
func History(w io.Writer, runs []PastRun, o Options) error {
	runs = slices.Clone(runs)
	slices.SortStableFunc(runs, func(a, b PastRun) int { return cmp.Compare(b.Run, a.Run) })
	taken := map[string]string{}
	for i, r := range runs { // a rollback comes before what it took back
		runs[i].TakenBackBy = taken[r.Run]
		if r.RollsBack != "" && r.Outcome == string(journal.OutcomeDone) && taken[r.Run] == "" && taken[r.RollsBack] == "" {
			taken[r.RollsBack] = r.Run
		}
	}
	switch o.Format {
	case Text, "":
	case JSON:
		return writeJSON(w, struct {
			Format string    `json:"format"`
			Runs   []PastRun `json:"runs"`
		}{HistoryFormat, runs})
	default:
		return unknownFormat("a list of runs", o.Format, Text, JSON)
	}
	if len(runs) == 0 {
		_, err := fmt.Fprintln(w, "There are no runs on record.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STARTED\tTENANT\tOUTCOME\tDONE\tTIME\tMANIFEST\tRUN")
	for _, r := range runs {
		outcome := r.Outcome
		switch {
		case r.TakenBackBy != "":
			outcome += ", taken back"
		case r.RollsBack != "":
			outcome += ", a rollback"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d of %d\t%s\t%s\t%s\n", r.Started.UTC().Format("2006-01-02 15:04:05"), visible(r.Tenant), outcome,
			r.Done, r.Total, seconds(r.Seconds), shortDigest(r.ManifestDigest), visible(r.Run))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range runs {
		if r.Damage != "" {
			fmt.Fprintf(w, "\n%s\n", visible(r.Damage))
		}
	}
	return nil
}

// shortDigest is enough of a digest to tell two apart at a glance.
func shortDigest(d string) string {
	d = strings.TrimPrefix(d, "sha256:")
	if len(d) > 12 {
		return d[:12]
	}
	return cmp.Or(d, "–")
}

// PastInFull shows all that is on record of one run, as text or JSON.
func PastInFull(w io.Writer, r PastRun, o Options) error {
	switch o.Format {
	case Text, "":
	case JSON:
		return writeJSON(w, struct {
			Format string `json:"format"`
			PastRun
		}{HistoryFormat, r})
	default:
		return unknownFormat("a run on record", o.Format, Text, JSON)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, visible(value))
		}
	}
	line("Run", r.Run)
	line("Tenant", fmt.Sprintf("%s (%s)", r.Tenant, r.Domain))
	line("Outcome", r.Outcome)
	line("Steps", fmt.Sprintf("%d done, %d failed, %d unknown, %d not started", r.Done, r.Failed, r.Unknown, r.Total-r.Done-r.Failed-r.Unknown))
	line("Started", r.Started.UTC().Format(time.RFC3339))
	line("Time", seconds(r.Seconds))
	line("By", whoText(r.Who))
	for _, again := range r.Resumed {
		line("Taken up", again.Time.UTC().Format(time.RFC3339)+" by "+whoText(again.Who))
	}
	line("Takes back", r.RollsBack)
	line("Tool", r.Tool)
	line("Manifest", r.ManifestDigest)
	line("Plan", r.PlanChecksum)
	if err := t.Flush(); err != nil {
		return err
	}
	if len(r.Record) > 0 {
		fmt.Fprintln(w)
	}
	for _, s := range r.Record {
		outcome := s.Outcome
		if s.Settled {
			outcome += ", as the tenant said later"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", s.Began.UTC().Format("15:04:05.000"), visible(strings.TrimSpace(s.Action+" "+s.Step)), outcome, seconds(s.Seconds), visible(s.ObjectID))
		if s.Message != "" {
			fmt.Fprintf(t, "\t  %s\n", visible(s.Message))
		}
	}
	return t.Flush()
}

func whoText(w journal.Who) string {
	var parts []string
	for _, p := range [][2]string{{"", w.User}, {"on ", w.Host}, {"commit ", w.Commit}, {"job ", w.CI}} {
		if p[1] != "" {
			parts = append(parts, p[0]+p[1])
		}
	}
	return strings.Join(parts, ", ")
}
