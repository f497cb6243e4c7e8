package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Owner says who holds a lock.
type Owner struct {
	Who
	// Boot identifies the running kernel and Machine the installation: hosts of one
	// name are told apart by them.
	Boot    string `json:"boot,omitempty"`
	Machine string `json:"machine,omitempty"`
	// Since is when the lock was taken.
	Since time.Time `json:"since"`
	// Doing is what it was taken for: "apply".
	Doing string `json:"doing,omitempty"`
}

// LockedError says that another process holds a lock, or left its record behind.
type LockedError struct {
	Name string
	// Owner is the holder, as far as it is known.
	Owner Owner
	// Stale is the record that has to be deleted if the holder is gone; "" if a
	// process on this host is alive and holds the lock.
	Stale string
}

// String says for what, by whom, where and since when, as far as it is known.
func (o Owner) String() string {
	var parts []string
	if o.Doing != "" {
		parts = append(parts, "for "+o.Doing)
	}
	if o.User != "" || o.Host != "" {
		parts = append(parts, fmt.Sprintf("by %s on %s", orUnknown(o.User), orUnknown(o.Host)))
	}
	if o.PID != 0 {
		parts = append(parts, fmt.Sprintf("(process %d)", o.PID))
	}
	if !o.Since.IsZero() {
		parts = append(parts, "since "+o.Since.UTC().Format(time.RFC3339))
	}
	by := strings.Join(parts, " ")
	if o.CI != "" {
		by += ", job " + o.CI
	}
	return by
}

func (e *LockedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is locked", e.Name)
	if by := e.Owner.String(); by != "" {
		b.WriteString(" " + by)
	}
	b.WriteString("; two runs on one tenant must never meet. ")
	if e.Stale == "" {
		b.WriteString("Wait for it to end, or stop it")
		return b.String()
	}
	fmt.Fprintf(&b, "Whether it still runs can't be seen from this host. If you know that it does not, delete %s and try again", e.Stale)
	return b.String()
}

func orUnknown(s string) string {
	if s == "" {
		return "(unknown)"
	}
	return s
}

// ThisProcess fills in what this process knows of itself: host, boot and process id.
func ThisProcess(o Owner) Owner {
	if h, err := os.Hostname(); err == nil && o.Host == "" {
		o.Host = h
	}
	o.Boot, o.Machine = firstLine("/proc/sys/kernel/random/boot_id"), firstLine("/etc/machine-id")
	o.PID = os.Getpid()
	return o
}

// firstLine returns what a small system file says, "" where there is none.
func firstLine(path string) string {
	b, err := os.ReadFile(path) // #nosec G304 -- one of two fixed paths
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}

// Lock takes the lock. Between processes of one host flock decides, which the
// system lets go when the holder dies. Between hosts that share the folder flock
// may not reach: there a record decides, which is made before and deleted after,
// and stays behind if its host dies. On the host that left it, it is overwritten.
func (d *Dir) Lock(name string, owner Owner) (func() error, error) {
	if err := d.folder("locks"); err != nil {
		return nil, fmt.Errorf("locking %s: %w", name, err)
	}
	base := filepath.Join(d.path, "locks", fileName(name))
	record := base + ".json"
	fl := flock.New(base+".lock", flock.SetPermissions(fileMode))
	ok, err := fl.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", name, err)
	}
	if !ok {
		holder, _ := readOwner(record) // only for the message: it may be half written or gone
		return nil, errors.Join(&LockedError{Name: name, Owner: holder}, fl.Close())
	}
	if err := claim(name, record, owner); err != nil {
		return nil, errors.Join(err, fl.Close())
	}
	return func() error {
		err := os.Remove(record)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return errors.Join(err, fl.Close())
	}, nil
}

// Holder looks at the lock without taking it: only where a record is, so that whoever
// takes the lock meanwhile is hardly ever in the way.
func (d *Dir) Holder(name string) (owner Owner, held bool) {
	base := filepath.Join(d.path, "locks", fileName(name))
	owner, err := readOwner(base + ".json")
	if err != nil {
		return Owner{}, false
	}
	if !owner.sameHost(ThisProcess(Owner{})) {
		return owner, true
	}
	fl := flock.New(base+".lock", flock.SetPermissions(fileMode))
	defer fl.Close() //nolint:errcheck // it was only looked at
	free, err := fl.TryRLock()
	return owner, err == nil && !free
}

// claim makes the record, whole or not at all, the flock being held.
func claim(name, record string, owner Owner) error {
	text, err := json.Marshal(owner)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(record), ".owner-*")
	if err != nil {
		return fmt.Errorf("locking %s: %w", name, err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // a leftover is harmless
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("locking %s: %w", name, err)
	}
	err = os.Link(f.Name(), record)
	if errors.Is(err, fs.ErrExist) {
		left, err := readOwner(record)
		if err != nil || !left.sameHost(owner) {
			return &LockedError{Name: name, Owner: left, Stale: record}
		}
		// Its process is gone, else the flock would be held.
		if err := os.Rename(f.Name(), record); err != nil {
			return fmt.Errorf("locking %s: taking over the record of a process that is gone: %w", name, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("locking %s: %w", name, err)
	}
	return nil
}

// sameHost says that one kernel decides between the two by flock.
func (o Owner) sameHost(other Owner) bool {
	return o.Boot != "" && o.Boot == other.Boot ||
		o.Machine != "" && o.Machine == other.Machine && o.Host == other.Host
}

func readOwner(record string) (Owner, error) {
	text, err := os.ReadFile(record) // #nosec G304 -- the store's own file
	if err != nil {
		return Owner{}, err
	}
	var o Owner
	if err := json.Unmarshal(text, &o); err != nil {
		return Owner{}, fmt.Errorf("reading %s: %w", record, err)
	}
	return o, nil
}
