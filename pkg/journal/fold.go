package journal

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// Load reads all journals of a tenant, oldest first, in which records are. Those
// that were written for another domain under the same name are left out. A damaged
// one is an error: what it held may be what matters.
func Load(s Store, tenant, domain string) ([]*Log, error) {
	names, err := runsOf(s, tenant)
	if err != nil {
		return nil, err
	}
	var out []*Log
	for _, n := range names {
		l, err := Read(s, n)
		if err != nil {
			return nil, err
		}
		if len(l.Records) > 0 && l.Header.Tenant == tenant && l.Header.Domain == domain {
			out = append(out, l)
		}
	}
	return out, nil
}

// runsOf lists the runs on a tenant, oldest first, and those on others of the same file name.
func runsOf(s Store, tenant string) ([]string, error) {
	names, err := s.Runs()
	if err != nil {
		return nil, fmt.Errorf("listing the runs in %s: %w", s.Where(), err)
	}
	var out []string
	file := fileName(tenant)
	for _, n := range names {
		if !strings.Contains(n, file) {
			continue // thousands are of others, and this is told fast
		}
		if _, t, ok := parseName(n); ok && t == file {
			out = append(out, n)
		}
	}
	return out, nil
}

// Fold derives what a tenant's runs, given oldest first, know of each address. What
// a rollback restored is known as it was before the run that it took back.
func Fold(runs []*Log) map[string]kind.Record {
	records := map[string]kind.Record{}
	before := map[string]map[string]kind.Record{} // by run: the records when it began
	for _, l := range runs {
		before[l.Header.Run] = maps.Clone(records)
		former := before[l.Header.RollsBack]
		for _, rec := range l.Records {
			if rec.Type == TypeDone {
				apply(records, former, l.Header.Run, rec.Done)
			}
		}
	}
	return records
}

// apply takes one done request into the records. former is not nil in a rollback:
// the records to which it goes back.
func apply(records, former map[string]kind.Record, run string, d *Done) {
	if d.Action == kind.Delete && d.Part == "" {
		delete(records, d.Address)
		return
	}
	old := records[d.Address]
	if d.ObjectID != "" && old.ID != "" && d.ObjectID != old.ID {
		old = kind.Record{} // the address means another object now
	}
	r := kind.Record{Run: run, ID: old.ID, Created: old.Created, Secrets: maps.Clone(old.Secrets), Merged: maps.Clone(old.Merged)}
	created := d.Action == kind.Create && d.Part == ""
	if created {
		r.Created, r.Secrets, r.Merged = true, nil, nil
	}
	if former != nil {
		was := former[d.Address]
		r.Secrets, r.Merged = maps.Clone(was.Secrets), maps.Clone(was.Merged)
		if created {
			r.Created = was.Created
		}
	}
	if d.ObjectID != "" {
		r.ID = d.ObjectID
	}
	for path, t := range d.Secrets {
		if r.Secrets == nil {
			r.Secrets = map[string]kind.SecretRecord{}
		}
		r.Secrets[path] = kind.SecretRecord{Fingerprint: t.Fingerprint, UpdatedAt: t.UpdatedAt}
	}
	if former == nil {
		merge(&r, d)
	}
	records[d.Address] = r
}

// merge adds and takes away the keys that runs added to shared collections.
func merge(r *kind.Record, d *Done) {
	for _, field := range manifest.Keys(d.Merged) {
		if r.Merged == nil {
			r.Merged = map[string][]string{}
		}
		keys := slices.Concat(r.Merged[field], d.Merged[field])
		slices.Sort(keys)
		r.Merged[field] = slices.Compact(keys)
	}
	for _, field := range manifest.Keys(d.Released) {
		keys := slices.DeleteFunc(slices.Clone(r.Merged[field]), func(k string) bool { return slices.Contains(d.Released[field], k) })
		if len(keys) > 0 {
			r.Merged[field] = keys
		} else {
			delete(r.Merged, field)
		}
	}
}
