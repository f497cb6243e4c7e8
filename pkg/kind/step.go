package kind

import "strings"

// Verb is what a step does, in the words of the plan.
type Verb string

// The verbs.
const (
	Create Verb = "create"
	Update Verb = "update"
	Delete Verb = "delete"
	Deploy Verb = "deploy"
	Bind   Verb = "bind"
	Unbind Verb = "unbind"
	Attach Verb = "attach"
)

// Cause is where a difference comes from.
type Cause string

// The causes.
const (
	Drift    Cause = "drift"    // the tenant was changed
	Declared Cause = "manifest" // the manifest was changed
	Both     Cause = "both"
)

// Step is one write request and all that a reviewer, the executor and a rollback
// need to know of it. It is plain data: it can be written down and read back.
type Step struct {
	// ID is unique in the plan: Address, and "#part" where Part is not empty.
	ID      string `json:"id"`
	Address string `json:"address"`
	// Part names what of the object is written: "" the object itself, "permissions",
	// "credentials", "deployment", "binding".
	Part   string `json:"part,omitempty"`
	Action Verb   `json:"action"`
	// Reason is one sentence without a full stop: "not on the tenant".
	Reason string `json:"reason"`
	// Cause tells who changed something since the last run, "" if that is on no record.
	Cause Cause `json:"cause,omitempty"`
	// Changes are the fields that change, sorted by path.
	Changes []Change `json:"changes,omitempty"`
	// Keeps says in full sentences what of a shared collection stays as it is.
	Keeps []string `json:"keeps,omitempty"`
	// Needs are the ids of the steps that must be done first, sorted.
	Needs   []string `json:"needs,omitempty"`
	Request Request  `json:"request"`
	// Await, if there, is what must become true on the tenant before the step is done.
	Await *Await `json:"await,omitempty"`
	// Guard, if there, is read right before the request and must still hold.
	Guard *Guard `json:"guard,omitempty"`
	// Twins, if there, finds what could be mistaken for the object that the request
	// creates. Their ids are put on record before it is sent.
	Twins *Twins `json:"twins,omitempty"`
	// Scopes are all needed for the request.
	Scopes []string `json:"scopes,omitempty"`
	// Before and After are the written fields in the manifest's shape, Before nil
	// where the object or part was not there, After nil where it goes. They may hold
	// references and secrets' placeholders, never a secret.
	Before map[string]any `json:"before,omitempty"`
	After  map[string]any `json:"after,omitempty"`
	// Key is the part of the spec by which the object is found again.
	Key map[string]any `json:"key,omitempty"`
	// ObjectID is the object's id where it is known before the request.
	ObjectID string `json:"object_id,omitempty"`
	// Outputs are the members of the answer to keep: what later steps and rollback
	// need. None of them is ever secret.
	Outputs []string `json:"outputs,omitempty"`
	// Sets are the paths of the unreadable values that the request sets.
	Sets []string `json:"sets,omitempty"`
	// Merged lists, by field, the keys that the request adds to shared collections.
	Merged map[string][]string `json:"merged,omitempty"`
	// Released lists, by field, the keys that it takes out of shared collections.
	Released map[string][]string `json:"released,omitempty"`
	Undo     Undo                `json:"undo"`
	// Digest identifies the observed object that the step was computed from; "" if there was none.
	Digest string `json:"digest,omitempty"`
}

// Kind is the kind's name in the step's address.
func (s *Step) Kind() string {
	k, _, _ := strings.Cut(s.Address, "/")
	return k
}

// StepID makes the id of a step.
func StepID(address, part string) string {
	if part == "" {
		return address
	}
	return address + "#" + part
}

// Request is one write.
type Request struct {
	Method string `json:"method"`
	// Path holds the segments below /api/v2/, each a string or a reference, not escaped.
	Path  []any  `json:"path"`
	Query string `json:"query,omitempty"`
	// Body is a value tree with references and secrets' placeholders; nil sends none.
	Body any `json:"body,omitempty"`
}

// Change is one field that changes.
type Change struct {
	// Path is for people: "scopes[expressconfigure:sso].description".
	Path string `json:"path"`
	// Op is "add", "remove" or "change".
	Op string `json:"op"`
	// Before and After are value trees; a reference is a value known after apply.
	Before any `json:"before,omitempty"`
	After  any `json:"after,omitempty"`
	// Sensitive values are never in Before or After: After is a placeholder {"$secret": path}.
	Sensitive bool `json:"sensitive,omitempty"`
	// Code says that the values are program text, to be shown as a diff.
	Code bool `json:"code,omitempty"`
	// Set says that the values are lists whose order does not matter.
	Set bool `json:"set,omitempty"`
	// Note says in few words what the values do not: "can't be read back".
	Note string `json:"note,omitempty"`
}

// Await is what must become true on the tenant after a request was answered.
type Await struct {
	// What says what is waited for: "the Action to be built".
	What string `json:"what"`
	// Path is the object to poll, as Request.Path.
	Path []any `json:"path"`
	// Done lists members by dotted path and the values that all of them must have.
	Done map[string]any `json:"done"`
	// Fail lists members and values; one of them ends the wait as a failure.
	Fail map[string]any `json:"fail,omitempty"`
}

// Guard protects a request that replaces a whole collection.
type Guard struct {
	// What says what is protected: "the order of the Actions bound to post-login".
	What string `json:"what"`
	Read Read   `json:"read"`
	// Pick is the dotted path of the member to take of each item.
	Pick string `json:"pick"`
	// Want are the values that the items must have, in order; a reference is filled in first.
	Want []any `json:"want"`
}

// Twins finds the objects that bear the name of one that is to be created, where
// names are not unique: after a lost answer, the new one is told from them.
type Twins struct {
	Read Read `json:"read"`
	// Where are members, by dotted path, that an item must have to be one.
	Where map[string]any `json:"where"`
	// Pick is the member of an item that is its id.
	Pick string `json:"pick"`
}

// Effect says how far a step can be taken back.
type Effect string

// The effects.
const (
	Exact Effect = "exact"  // afterwards all is as before
	NewID Effect = "new-id" // the same content under another id
	None  Effect = "none"   // it can't be taken back
)

// Undo says how a step is taken back.
type Undo struct {
	Effect Effect `json:"effect"`
	// How says what taking back does, and what is lost: "deletes the client".
	How string `json:"how,omitempty"`
	// Lost says, in a part of a sentence each, what taking back does not bring back
	// although all else is as before: "name, which was not set, can't be unset".
	Lost []string `json:"lost,omitempty"`
	// With is the address of the object with which this one goes for good, as a grant
	// goes with its client. As long as that is still there, this one can come back.
	With string `json:"with,omitempty"`
}

// Notice is a hazard that a reviewer must see.
type Notice struct {
	// ID names the hazard; a manifest acknowledges it by this id.
	ID      string `json:"id"`
	Address string `json:"address,omitempty"`
	// Level is "info", "warning", or "refusal": the plan can't be applied until the
	// notice is acknowledged.
	Level   string `json:"level"`
	Summary string `json:"summary"`
	Detail  string `json:"detail,omitempty"`
	// Acknowledged is the reason that the manifest gives for accepting it, or ByForce.
	Acknowledged string `json:"acknowledged,omitempty"`
}

// ByForce stands in the place of a reason where the command line overrides a refusal.
const ByForce = "--force"

// Levels of notices.
const (
	Info    = "info"
	Warn    = "warning"
	Refusal = "refusal"
)
