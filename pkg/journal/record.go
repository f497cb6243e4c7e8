package journal

import (
	"time"

	"github.com/ecplan/ecplan/pkg/kind"
)

// Format is the version of the journal's form. A reader refuses every other.
const Format = "ecplan/journal/v1"

// Type says what a record tells.
type Type string

// The types, in the order in which a run writes them.
const (
	TypeHeader  Type = "header"  // first record: whose run this is
	TypeResumed Type = "resumed" // the run is taken up again, by whom
	TypeIntent  Type = "intent"  // a request is about to be sent
	TypeDone    Type = "done"    // the request was answered, and it had its effect
	TypeAwaited Type = "awaited" // what the step waits for has come true
	TypeFailed  Type = "failed"  // the step failed, or its outcome is unknown
	TypeEnd     Type = "end"     // last record: how the run ended
)

// Record is one line of a journal. Exactly one of the pointers is set, that of Type;
// TypeAwaited has none.
type Record struct {
	// Seq counts the records of a journal from 1.
	Seq  int       `json:"seq"`
	Time time.Time `json:"time"`
	Type Type      `json:"type"`
	// Step is the id of the plan's step that the record is about.
	Step string `json:"step,omitempty"`

	Header  *Header `json:"header,omitempty"`
	Resumed *Who    `json:"resumed,omitempty"`
	Intent  *Intent `json:"intent,omitempty"`
	Done    *Done   `json:"done,omitempty"`
	Failed  *Failed `json:"failed,omitempty"`
	End     *End    `json:"end,omitempty"`
}

// Who says who ran something and from where, as far as it is known.
type Who struct {
	User string `json:"user,omitempty"`
	Host string `json:"host,omitempty"`
	// Commit is the revision of the manifests; CI the URL of the job.
	Commit string `json:"commit,omitempty"`
	CI     string `json:"ci,omitempty"`
	PID    int    `json:"pid,omitempty"`
}

// Header begins a journal.
type Header struct {
	Format string `json:"format"`
	// Tool is the version of ecplan.
	Tool   string `json:"tool"`
	Run    string `json:"run"`
	Tenant string `json:"tenant"`
	// Domain is the tenant's canonical domain. Records of another domain tell
	// nothing about this one, whatever the tenant is called.
	Domain string `json:"domain"`
	Who    Who    `json:"who"`
	// ManifestDigest identifies the manifests; PlanChecksum is the plan's own
	// checksum; PlanDigest covers the bytes of plan.json beside the journal.
	ManifestDigest string `json:"manifest_digest,omitempty"`
	PlanChecksum   string `json:"plan_checksum,omitempty"`
	PlanDigest     string `json:"plan_digest"`
	// Steps counts the plan's steps.
	Steps int `json:"steps"`
	// RollsBack names the run that this one takes back, "" if it is no rollback.
	RollsBack string `json:"rolls_back,omitempty"`
	// Rollout names the rollout that the run is part of, "" if it is of none.
	Rollout string `json:"rollout,omitempty"`
}

// Intent says what is about to be sent. It is on the disk before the request is.
type Intent struct {
	// Request digests method, path, query and body, the body with placeholders
	// where secrets belong.
	Request string `json:"request"`
	// Before digests the object that the step was planned from; "" if there was none.
	Before string `json:"before,omitempty"`
	// Twins are the ids of the objects that could be mistaken for the one that the
	// request creates: those which bear its name already. nil: nothing could be.
	Twins []string `json:"twins"`
	// Sets are the fingerprints of the unreadable values that the request sets, by path.
	Sets map[string]string `json:"sets,omitempty"`
}

// Done says what a request brought about.
type Done struct {
	Address string    `json:"address"`
	Part    string    `json:"part,omitempty"`
	Action  kind.Verb `json:"action"`
	// ObjectID is the object's id on the tenant.
	ObjectID string `json:"object_id,omitempty"`
	// Outputs are the members of the answer that the plan said to keep.
	Outputs map[string]any `json:"outputs,omitempty"`
	// Secrets are the traces of the unreadable values that the request set, by path.
	Secrets map[string]Trace `json:"secrets,omitempty"`
	// Merged are the keys that the request added to shared collections, by field;
	// Released are those that it removed.
	Merged   map[string][]string `json:"merged,omitempty"`
	Released map[string][]string `json:"released,omitempty"`
	// Settled says that the answer was never seen: the tenant was asked later, and
	// had what the request was to bring about.
	Settled bool `json:"settled,omitempty"`
}

// Trace is what is left of a value that can't be read back.
type Trace struct {
	Fingerprint string `json:"fingerprint"`
	UpdatedAt   string `json:"updated_at,omitempty"`
}

// Failed says why a step failed.
type Failed struct {
	// Status, Code and Message are the tenant's answer, or 0, "" and what went wrong.
	Status  int    `json:"status,omitempty"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
	// Unknown says that nobody knows whether the request had its effect.
	Unknown bool `json:"unknown,omitempty"`
	// Waiting says that the request had its effect (a Done came before) and what was
	// waited for did not come true.
	Waiting bool `json:"waiting,omitempty"`
	// Settled says that the tenant was asked later, and that the request had no effect.
	Settled bool `json:"settled,omitempty"`
}

// End says how a run ended.
type End struct {
	Outcome Outcome `json:"outcome"`
	// Done, Failed, Unknown and NotStarted count steps.
	Done       int `json:"done"`
	Failed     int `json:"failed"`
	Unknown    int `json:"unknown"`
	NotStarted int `json:"not_started"`
}

// Outcome is how a run ended, in a word.
type Outcome string

// The outcomes. A journal without End is that of an interrupted run.
const (
	OutcomeDone        Outcome = "done"        // all steps are done
	OutcomeFailed      Outcome = "failed"      // a step failed
	OutcomeStopped     Outcome = "stopped"     // it was asked to stop before all was started
	OutcomeInterrupted Outcome = "interrupted" // it ended without saying how
	OutcomeUnderWay    Outcome = "under way"   // it has not ended; no record says so, the tenant's lock does
)
