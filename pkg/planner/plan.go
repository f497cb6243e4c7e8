// Package planner compares what manifests declare with what a tenant has and makes
// a Plan: ordered writes as data. It is pure: the same input gives the same bytes.
//
// It does not know how to send a request, and nothing of any one kind of object.
package planner

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/ecplan/ecplan/pkg/kind"
)

// Format is the version of the plan's JSON form.
const Format = "ecplan/plan/v1"

// Plan is what a run will do, tenant by tenant.
type Plan struct {
	Format string `json:"format"`
	// Tool is the version of ecplan that made the plan.
	Tool string `json:"tool"`
	// ManifestDigest identifies the manifests, files that they name and variables included.
	ManifestDigest string       `json:"manifest_digest"`
	Tenants        []TenantPlan `json:"tenants"`
	// Checksum covers all the above.
	Checksum string `json:"checksum"`
}

// TenantPlan is the part of one tenant.
type TenantPlan struct {
	Tenant string `json:"tenant"`
	Domain string `json:"domain"`
	// Mode is what may be deleted: "" nothing, "prune" what runs created and nobody
	// declares any more, "destroy" all that runs created.
	Mode string `json:"mode,omitempty"`
	// Forced says that refusals were overridden on the command line.
	Forced bool `json:"forced,omitempty"`
	// Steps are in an order in which they may run one after the other.
	Steps []kind.Step `json:"steps"`
	// Unchanged lists the addresses that are as declared, sorted.
	Unchanged []string      `json:"unchanged,omitempty"`
	Notices   []kind.Notice `json:"notices,omitempty"`
	// Observed digests, by address, what the plan read and used.
	Observed map[string]string `json:"observed,omitempty"`
	// Since is the run that differences are told from; "" if none is on record.
	Since string `json:"since,omitempty"`
	// Declared digests the declared fields, by address and field: with it a later plan
	// tells what the manifest changed from what the tenant did.
	Declared map[string]map[string]string `json:"declared,omitempty"`
	// Flows are the names of the Actions bound to the triggers that were read, in their
	// order: with it a later plan tells whom others bound besides.
	Flows map[string][]string `json:"flows,omitempty"`
	// EqualSecrets tells which sensitive values are the same: "address path" of one to
	// that of the first that is equal to it.
	EqualSecrets map[string]string `json:"equal_secrets,omitempty"`
	// Error, if there, says why this tenant has no plan.
	Error string `json:"error,omitempty"`
	// Checksum covers steps and observed digests: two plans with one checksum do the same.
	Checksum string `json:"checksum"`
}

// Seal computes all checksums anew.
func (p *Plan) Seal() {
	for i := range p.Tenants {
		t := &p.Tenants[i]
		if len(t.Observed) == 0 {
			t.Observed = nil // as it is when it is read back
		}
		t.Checksum = Digest(struct {
			Tenant, Domain string
			Steps          []kind.Step
			Observed       map[string]string
		}{t.Tenant, t.Domain, t.Steps, t.Observed})
	}
	p.Checksum = ""
	p.Checksum = Digest(p)
}

// Digest returns "sha256:" and the hexadecimal hash of v's JSON, map keys sorted.
func Digest(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("planner: not JSON: " + err.Error()) // a programming error, never input
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// The modes.
const (
	Prune   = "prune"
	Destroy = "destroy"
	// DriftReport marks a plan that only tells of drift and can't be applied.
	DriftReport = "drift"
)

// Changes counts steps by verb.
func (t *TenantPlan) Changes() map[kind.Verb]int {
	n := map[kind.Verb]int{}
	for _, s := range t.Steps {
		n[s.Action]++
	}
	return n
}
