// Package kind says what each type of Auth0 object is: how it is found on a tenant,
// how it is compared, and which writes bring it to what a manifest declares. One
// file holds one kind; its schema holds the compare rules; registry.go lists all.
//
// It does not know how requests are sent, in what order steps run, or what a plan
// looks like. The planner calls it with data and gets data back: no function here
// touches network, clock, environment or randomness.
package kind

import (
	"time"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// Kind is a type of object and all that the engine knows of it.
type Kind struct {
	// Name is the word in manifests: "ResourceServer".
	Name string
	// Rank orders steps that do not need each other, lowest first.
	Rank int
	// Scopes are the Management API scopes that its requests need (facts §9).
	Scopes Scopes
	// List reads the whole collection; its zero value says that there is none.
	List Read
	// Line, if not nil, tells in a message which of List's objects one is, "" for one that
	// nobody can mean; without it the name does.
	Line func(object map[string]any) string
	// Observe finds d's object on the tenant. What it has to read it asks v for;
	// while an answer is missing it returns Observed{Pending: true}. An error is a
	// finding for people: an ambiguous name, an object that must not be touched.
	Observe func(d Desired, v *View) (Observed, error)
	// Steps returns the writes that bring o to d, in the order in which they must
	// run, none if nothing differs.
	Steps func(d Desired, o Observed) ([]Step, error)
	// Delete returns the writes that remove the object.
	Delete func(d Desired, o Observed) ([]Step, error)
	// Restore, where undoing takes more than Steps towards the former state, returns
	// the writes that take back what a run did. nil: Steps and Delete do.
	Restore func(d Desired, o Observed, done []Step) ([]Step, error)
	// Found, if not nil, compares those steps that the schema's rules say nothing of
	// with the tenant; ok is false for all others (see Compare).
	Found func(s Step, o Observed, set map[string]SecretRecord) (f Finding, ok bool)
	// Losses, if not nil, tells what deleting the object would take with it that nobody
	// can bring back. Its notices are refusals. What it has to read it asks v for; ok is
	// false while an answer is missing.
	Losses func(d Desired, o Observed, v *View) (notices []Notice, ok bool)
	// Pin is the field of the spec that names one object by its id, "" if there is none.
	Pin string
	// Finish returns the writes that several resources of the kind share, such as the
	// order of the Actions bound to a trigger. It gets all of them, in the same order.
	Finish func(ds []Desired, os []Observed, v *View) ([]Step, error)
	// Notices tells of hazards that a reviewer must see, o being the state before.
	Notices func(d Desired, o Observed) []Notice
}

// Scopes are Management API scopes by what they allow.
type Scopes struct{ Read, Create, Update, Delete []string }

// Desired is a resource as a kind sees it.
type Desired struct {
	*manifest.Resource
	// Spec is the resource's spec with references to objects that are on the tenant
	// already filled in; what is left open is known after apply.
	Spec map[string]any
	// Match narrows the search, as Meta.Match, references filled in.
	Match map[string]any
	// Exact says that nested objects are as wanted only if they hold nothing else: what
	// Spec says was read from the tenant once, and is to be again.
	Exact bool
	// Removing says that the object is to go: what must be read for that is read.
	Removing bool
	// Waiting says that an object that Spec refers to is still being looked for.
	Waiting bool
	// Named gives the addresses of the resources that declare objects, by kind, field and
	// value: "Role.name=ops".
	Named map[string]string
	// Fingerprint gives the keyed hash of a value that can't be read back.
	Fingerprint func(value string) string
	// Record is what earlier runs left on record for this address.
	Record Record
	// Now is the time of planning; zero leaves out what depends on it.
	Now time.Time
}

// reveal returns the text of a value that may be a secret's placeholder. It is for
// fingerprints only.
func (d Desired) reveal(v any) string {
	if path, ok := manifest.AsSecret(v); ok {
		return d.Secrets[path]
	}
	s, _ := v.(string)
	return s
}

// Observed is what the tenant has.
type Observed struct {
	// Pending says that answers are missing: ask again when they are there.
	Pending bool
	Exists  bool
	// ID is what paths name the object by.
	ID string
	// Object is Auth0's own object, as read: what references take their values from.
	Object map[string]any
	// Spec is the same in the manifest's shape, so that the two can be compared.
	Spec map[string]any
}

// Record is what earlier runs know of an address; the zero value knows nothing.
type Record struct {
	// Run is the last run that wrote the object.
	Run string
	// ID is the object's id at that time; Created says that ecplan made it.
	ID      string
	Created bool
	// Secrets tells, by path, what was set last.
	Secrets map[string]SecretRecord
	// Merged lists, by field, the keys that runs added to shared collections.
	Merged map[string][]string
}

// SecretRecord is the trace of a value that can't be read back.
type SecretRecord struct {
	// Fingerprint is the value's keyed hash.
	Fingerprint string
	// UpdatedAt is the time that the tenant reported for the value after it was set.
	UpdatedAt string
}

// Read is one question to a tenant: always a GET.
type Read struct {
	// Path is below /api/v2/, each segment escaped: "clients/abc/credentials".
	Path string `json:"path"`
	// Query is encoded and sorted, without paging.
	Query string `json:"query,omitempty"`
	// List names the member that holds the items of a paged collection ("clients"),
	// "[]" an answer that is a bare array; "" a single object. The answer is then
	// []any of all pages, or map[string]any; nil where a single object is missing (404).
	List string `json:"list,omitempty"`
	// Scopes are the scopes of which one must be granted.
	Scopes []string `json:"scopes,omitempty"`
	// Optional reads are answered with nil where a scope is missing: what they tell is
	// worth knowing, and nothing depends on it.
	Optional bool `json:"-"`
	// For is the address on whose behalf it is asked, for messages.
	For string `json:"-"`
}

// Key tells reads apart.
func (r Read) Key() string { return r.Path + "?" + r.Query }

// View answers reads from what was read already, and notes what is missing.
// The zero value has no answers.
type View struct {
	Answers map[string]any
	// Counts tells how many resources of each kind are looked for: where it is more
	// than one, a kind reads the collection once instead of asking for each.
	Counts  map[string]int
	missing map[string]Read
	// items are the collections among the answers, unpacked once, and index finds in
	// them by read, member and value.
	items map[string][]map[string]any
	index map[string]map[string][]map[string]any
}

// Get returns the answer to r. If there is none yet, ok is false and r is noted.
func (v *View) Get(r Read) (answer any, ok bool) {
	if a, ok := v.Answers[r.Key()]; ok {
		return a, true
	}
	if v.missing == nil {
		v.missing = map[string]Read{}
	}
	if _, noted := v.missing[r.Key()]; !noted {
		v.missing[r.Key()] = r
	}
	return nil, false
}

// Many reports whether several resources of the kind are looked for.
func (v *View) Many(kindName string) bool { return v.Counts[kindName] > 1 }

// Object returns the answer to a read of a single object: nil if it is not there.
func (v *View) Object(r Read) (obj map[string]any, ok bool) {
	a, ok := v.Get(r)
	obj, _ = a.(map[string]any)
	return obj, ok
}

// Items returns the answer to a read of a collection.
func (v *View) Items(r Read) (items []map[string]any, ok bool) {
	a, ok := v.Get(r)
	if !ok {
		return nil, false
	}
	if items, seen := v.items[r.Key()]; seen {
		return items, true
	}
	items = objects(a)
	if v.items == nil {
		v.items = map[string][]map[string]any{}
	}
	v.items[r.Key()] = items
	return items, true
}

// Where returns those items of the answer to a read of a collection whose member is
// value. Looking for many of them costs no more than reading through them once.
func (v *View) Where(r Read, member, value string) (items []map[string]any, ok bool) {
	all, ok := v.Items(r)
	if !ok {
		return nil, false
	}
	key := r.Key() + "#" + member
	by, indexed := v.index[key]
	if !indexed {
		by = map[string][]map[string]any{}
		for _, item := range all {
			by[text(item, member)] = append(by[text(item, member)], item)
		}
		if v.index == nil {
			v.index = map[string]map[string][]map[string]any{}
		}
		v.index[key] = by
	}
	return by[value], true
}

// Missing lists the reads that were asked for and not answered, sorted by key.
func (v *View) Missing() []Read {
	out := make([]Read, 0, len(v.missing))
	for _, k := range manifest.Keys(v.missing) {
		out = append(out, v.missing[k])
	}
	return out
}

// Answer takes the answers in and forgets what was missing.
func (v *View) Answer(answers map[string]any) {
	if v.Answers == nil {
		v.Answers = map[string]any{}
	}
	for k, a := range answers {
		v.Answers[k] = a
	}
	v.missing = nil
}
