package journal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Store is where runs, locks and the key for fingerprints are kept. Dir is a folder;
// a store at a URL has the same few needs: whole small objects, an append that is
// durable when it returns, and one holder of a name at a time.
type Store interface {
	// Where says for people where the store is.
	Where() string
	// Runs lists the names of all runs, oldest first. The list must not be changed.
	Runs() ([]string, error)
	// Create makes a run with its plan, and an empty journal open for append.
	// It fails with fs.ErrExist if the name is taken.
	Create(run string, plan []byte) (Appender, error)
	// Append opens a run's journal for append after its first size bytes; what
	// follows them is dropped.
	Append(run string, size int64) (Appender, error)
	// Plan and Journal read a run's files; fs.ErrNotExist if there is none.
	Plan(run string) ([]byte, error)
	Journal(run string) ([]byte, error)
	// SaveRollout writes the record of a rollout whole, over what was there, and before it
	// the plan, unless that is nil: then it stays. Rollout reads both, fs.ErrNotExist if
	// there is none; Rollouts lists the names, oldest first.
	SaveRollout(name string, record, plan []byte) error
	Rollout(name string) (record, plan []byte, err error)
	Rollouts() ([]string, error)
	// Lock makes owner the only holder of name until the returned function is
	// called or the process ends; a *LockedError tells who holds it.
	Lock(name string, owner Owner) (unlock func() error, err error)
	// Holder tells who holds name, as far as it is known; held is false if nobody does.
	// On another host, that may have died, the holder counts as alive.
	Holder(name string) (owner Owner, held bool)
	// Key returns the secret key of the store's fingerprints, made at random when it
	// is first asked for.
	Key() ([]byte, error)
}

// Appender adds lines to a journal.
type Appender interface {
	// Append writes b at the end. When it returns nil, b survives a crash of the
	// machine. After an error the journal's tail is not known, and it must be closed.
	Append(b []byte) error
	Close() error
}

// Fingerprinter returns the function that gives the keyed hash of a value that
// can't be read back. Without the store's key nobody can tell by it what the value was.
func Fingerprinter(s Store) (func(value string) string, error) {
	key, err := s.Key()
	if err != nil {
		return nil, fmt.Errorf("reading the key for fingerprints of secrets in %s: %w", s.Where(), err)
	}
	return func(value string) string {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(value))
		return "hmac-sha256:" + hex.EncodeToString(h.Sum(nil))
	}, nil
}

// A run's name is <time>-<tenant>-<id>, in UTC and to the millisecond, so that names
// sort by time: 20261122T093000.000Z-prod-eu-1f2e3d4c.
const (
	nameTime   = "20060102T150405.000Z"
	nameRandom = 4 // bytes, two hexadecimal digits each
)

var runName = regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}Z-[A-Za-z0-9%._-]{1,120}-[0-9a-f]{8}$`)

func nameOf(at time.Time, tenant string, random [nameRandom]byte) string {
	return at.UTC().Format(nameTime) + "-" + fileName(tenant) + "-" + hex.EncodeToString(random[:])
}

// parseName takes a run's name apart; ok is false for what is no such name.
func parseName(run string) (at time.Time, tenant string, ok bool) {
	if !runName.MatchString(run) {
		return time.Time{}, "", false
	}
	at, err := time.Parse(nameTime, run[:len(nameTime)])
	return at, run[len(nameTime)+1 : len(run)-2*nameRandom-1], err == nil
}

// fileName makes a name of letters, digits, dots, dashes and underscores that is no
// path and no dot-file; what else there is becomes %XX. Different names stay
// different: what is too long is cut and told apart by its hash.
func fileName(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-' && i > 0, c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	const most = 100
	out := b.String()
	if len(out) > most {
		sum := sha256.Sum256([]byte(name))
		out = out[:most-17] + "%" + hex.EncodeToString(sum[:8])
	}
	if out == "" {
		return "%"
	}
	return out
}

// Named tells from a run's name when it was begun and, as far as a file's name can
// hold it, on which tenant; zero values for what is no run's name.
func Named(run string) (at time.Time, tenant string) {
	at, tenant, _ = parseName(run)
	return at, tenant
}
