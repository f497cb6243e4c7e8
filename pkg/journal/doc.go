// Package journal is the record of runs and the place where it is kept: what a run
// was about to do, what came of it, and therefore what is left to finish or to take
// back after a crash. It also holds a tenant's lock and the key under which values
// that can't be read back are fingerprinted.
//
// All that ecplan knows of the past is derived from the journals (Fold): there is no
// second source of truth. No request body and no secret value is ever written, only
// digests of bodies with placeholders in place of secrets, and keyed hashes.
//
// It does not know what a plan's steps mean, how they are sent, or any kind of
// object. The executor writes journals; the commands list, resume and take back runs
// by them; plans are compared with what Fold says.
//
// docs/journal.md describes the files.
package journal
