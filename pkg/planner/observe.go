package planner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// Input is what one tenant's plan is made from. The same input and the same answers
// give the same plan.
type Input struct {
	Tenant string
	// Domain is the canonical domain, with a port if there is one.
	Domain string
	// Resources are linked: composites are expanded, references checked.
	Resources []*manifest.Resource
	// Remove are resources whose objects are to go, if they are there. None of them is
	// among Resources.
	Remove []*manifest.Resource
	// NoCreate leaves out what is not on the tenant.
	NoCreate bool
	// Records are what earlier runs left, by address.
	Records map[string]kind.Record
	// Last is the last run that brought the tenant to what was declared then.
	Last Last
	// Fingerprint gives the keyed hash of a value that can't be read back.
	Fingerprint func(string) string
	// Now is the time of planning. It plays a part in notices only, never in steps.
	Now time.Time
	// Identity is whom ecplan signs in as.
	Identity Identity
	// Notices, if there, tells of hazards that no single kind knows, from the resources
	// and what was read. It must be as pure as the planner.
	Notices func(rs []*manifest.Resource, v *kind.View) []kind.Notice
}

// Identity is what the access token says of its holder.
type Identity struct {
	// ClientID is the client that ecplan signs in as, "" if the token does not tell.
	ClientID string
	// Scopes are the granted scopes; Known is false for a token that can't be read.
	Scopes []string
	Known  bool
}

// state is a resource with what was found of it.
type state struct {
	kind    *kind.Kind
	desired kind.Desired
	found   kind.Observed
	// losses is what deleting the object would take along, where it is to go.
	losses []kind.Notice
	err    error
}

// Reads returns what still has to be read from the tenant before Plan can be called,
// and takes the answers that v has into account. It returns none when all is known.
func Reads(in Input, v *kind.View) []kind.Read {
	observe(in, v)
	return v.Missing()
}

// observe looks all resources up in v. A reference to an object that is there is
// filled in before the object that refers to it is looked for.
func observe(in Input, v *kind.View) []*state {
	kinds := kind.All()
	v.Counts = map[string]int{}
	remove := map[*manifest.Resource]bool{}
	for _, r := range in.Remove {
		remove[r] = true
		v.Counts[r.Kind] += 2 // read whole, so that the share of what goes is known
	}
	for _, r := range in.Resources {
		v.Counts[r.Kind]++
	}
	named := map[string]string{}
	for _, r := range in.Resources {
		for f, val := range r.Spec {
			if text, ok := val.(string); ok {
				named[r.Kind+"."+f+"="+text] = r.Address()
			}
		}
	}
	states := map[string]*state{}
	lookup := func(address, attr string) (any, bool) {
		s := states[address]
		if s == nil || !s.found.Exists {
			return nil, false
		}
		got, ok := s.found.Object[attr]
		return got, ok
	}
	out := make([]*state, 0, len(in.Resources))
	for _, r := range dependencyOrder(slices.Concat(in.Resources, in.Remove)) {
		s := &state{kind: kinds[r.Kind]}
		states[r.Address()] = s
		out = append(out, s)
		spec, _ := manifest.Resolve(r.Spec, lookup).(map[string]any)
		s.desired = kind.Desired{
			Resource: r, Spec: spec, Fingerprint: in.Fingerprint, Named: named,
			Record: record(in.Records, r), Now: in.Now, Removing: remove[r],
		}
		s.desired.Match, _ = manifest.Resolve(r.Meta.Match, lookup).(map[string]any)
		for _, a := range manifest.Refs([]any{spec, s.desired.Match}) {
			if t := states[a]; t != nil && t.found.Pending {
				s.desired.Waiting = true
			}
		}
		if s.kind == nil {
			s.err = fmt.Errorf("ecplan does not know the kind %s", r.Kind)
			continue
		}
		s.found, s.err = s.kind.Observe(s.desired, v)
		if s.found.Exists && s.desired.Record.ID != s.found.ID {
			s.desired.Record = kind.Record{} // the address meant another object then
			if s.desired.Removing {
				s.found = kind.Observed{} // and that one is not there
			}
		}
		if s.desired.Removing && s.err == nil && s.found.Exists && s.kind.Losses != nil {
			s.losses, _ = s.kind.Losses(s.desired, s.found, v)
		}
		if s.err == nil && !s.found.Pending && !s.found.Exists && r.Meta.Existing {
			others, ok := s.kind.Others(r.Address(), v)
			if s.found.Pending = !ok; ok {
				s.err = notThere(r, others)
			}
		}
	}
	slices.SortFunc(out, func(a, b *state) int { return strings.Compare(a.desired.Address(), b.desired.Address()) })
	return out
}

// record returns what runs left for a resource under its address or a former one: what
// the last run left, since an object may have gone back and forth between addresses.
func record(records map[string]kind.Record, r *manifest.Resource) kind.Record {
	newest := records[r.Address()]
	for _, a := range r.Meta.Formerly {
		if rec := records[a]; rec.Run > newest.Run { // runs' names begin with their time
			newest = rec
		}
	}
	return newest
}

// notThere explains that an object which must exist does not, and lists what does.
func notThere(r *manifest.Resource, candidates []string) error {
	const most = 20
	msg := fmt.Sprintf("the tenant has no %s %s", r.Kind, wanted(r.Spec))
	if len(candidates) == 0 {
		return errors.New(msg + "; ecplan does not create it, because the manifest says that it exists already")
	}
	msg += ". There are:"
	for i, c := range candidates {
		if i == most {
			msg += fmt.Sprintf("\n  … and %d more", len(candidates)-most)
			break
		}
		msg += "\n  - " + c
	}
	return errors.New(msg)
}

func wanted(spec map[string]any) string {
	for _, f := range []string{"client_id", "identifier", "name"} {
		if s, ok := spec[f].(string); ok {
			return fmt.Sprintf("with the %s %q", f, s)
		}
	}
	return "like the one described"
}

// dependencyOrder puts resources behind those that they refer to, else by address.
// References are known to be free of cycles.
func dependencyOrder(rs []*manifest.Resource) []*manifest.Resource {
	byAddress := map[string]*manifest.Resource{}
	for _, r := range rs {
		byAddress[r.Address()] = r
	}
	var out []*manifest.Resource
	seen := map[string]bool{}
	var visit func(r *manifest.Resource)
	visit = func(r *manifest.Resource) {
		if r == nil || seen[r.Address()] {
			return
		}
		seen[r.Address()] = true
		for _, a := range manifest.Refs([]any{r.Spec, r.Meta.Match}) {
			visit(byAddress[a])
		}
		out = append(out, r)
	}
	for _, a := range manifest.Keys(byAddress) {
		visit(byAddress[a])
	}
	return out
}
