// Package executor turns plans into requests: it applies them, finishes what was
// interrupted, and takes back what was done. There is one path to the tenant: a
// plan, whoever made it, run by Apply under a journal.
//
// Before a request is sent its intent is on the disk, and its outcome is there
// before anything is built on it. What nobody saw the outcome of is settled by
// asking the tenant (Settle); nothing is guessed, and nothing is sent twice unless
// that is safe.
//
// It does not know any kind of object: steps are data, and what a step's object
// looks like on the tenant is asked of pkg/kind. It knows nothing of manifests but
// the values that they keep secret. The commands and the fleet call it.
package executor
