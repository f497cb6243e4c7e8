package journal

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2/maybe"
)

// Dir is a store in a local folder:
//
//	runs/<run>/plan.json, journal.jsonl
//	rollouts/<rollout>.json, <rollout>.plan.json
//	locks/<name>.lock, <name>.json
//	key
//
// Folders have mode 0700 and files 0600: they hold no secret but the key, and tell a
// lot about a tenant.
type Dir struct {
	path string

	mu     sync.Mutex
	listed listing
}

// listing is what the folder of runs held when it was read. Thousands of runs are listed
// for each of hundreds of tenants, and hardly ever has anything changed in between.
type listing struct {
	names         []string
	changed, read time.Time
}

// coarse is more than what the times of a file system are rounded to: in a folder that was
// changed so shortly before it was read, the next change may not show.
const coarse = 3 * time.Second

func (l listing) holds(changed time.Time) bool {
	return !l.read.IsZero() && l.changed.Equal(changed) && l.read.Sub(changed) > coarse
}

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// OpenDir returns the store in the folder at path, which is made when it is first
// written to.
func OpenDir(path string) (*Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("finding the store %s: %w", path, err)
	}
	return &Dir{path: abs}, nil
}

// Where gives the folder's path.
func (d *Dir) Where() string { return d.path }

// Runs lists the runs.
func (d *Dir) Runs() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	folder, now := filepath.Join(d.path, "runs"), time.Now()
	info, err := os.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if d.listed.holds(info.ModTime()) {
		return d.listed.names, nil
	}
	f, err := os.Open(folder) // #nosec G304 -- it is the store's own
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !runName.MatchString(n) })
	slices.Sort(names)
	d.listed = listing{names: names, changed: info.ModTime(), read: now}
	return names, nil
}

// Create makes a run. What is there when it returns survives a crash.
func (d *Dir) Create(run string, plan []byte) (Appender, error) {
	folder, err := d.run(run)
	if err != nil {
		return nil, err
	}
	if err := d.folder("runs"); err != nil {
		return nil, err
	}
	if err := os.Mkdir(folder, dirMode); err != nil {
		return nil, err
	}
	if err := maybe.WriteFile(filepath.Join(folder, "plan.json"), plan, fileMode); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(folder, "journal.jsonl"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode) // #nosec G304 -- d.run refuses what is no run's name
	if err != nil {
		return nil, err
	}
	if err := errors.Join(syncFolder(folder), syncFolder(filepath.Dir(folder))); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &appendFile{f: f}, nil
}

// Append opens a journal.
func (d *Dir) Append(run string, size int64) (Appender, error) {
	folder, err := d.run(run)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(folder, "journal.jsonl"), os.O_WRONLY, fileMode) // #nosec G304 -- d.run refuses what is no run's name
	if err != nil {
		return nil, err
	}
	a := &appendFile{f: f, size: size}
	if err := a.cut(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return a, nil
}

// Plan reads a run's plan.
func (d *Dir) Plan(run string) ([]byte, error) { return d.read(run, "plan.json") }

// Journal reads a run's journal.
func (d *Dir) Journal(run string) ([]byte, error) { return d.read(run, "journal.jsonl") }

func (d *Dir) read(run, file string) ([]byte, error) {
	folder, err := d.run(run)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(folder, file)) // #nosec G304 -- d.run refuses what is no run's name
}

func (d *Dir) run(name string) (string, error) {
	if !runName.MatchString(name) {
		return "", fmt.Errorf("%q is no run's name: %w", name, fs.ErrNotExist)
	}
	return filepath.Join(d.path, "runs", name), nil
}

// Key reads the key, or makes it.
func (d *Dir) Key() ([]byte, error) {
	path := filepath.Join(d.path, "key")
	text, err := os.ReadFile(path) // #nosec G304 -- the store's own file
	if errors.Is(err, fs.ErrNotExist) {
		text, err = d.makeKey(path)
	}
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%s does not hold 64 hexadecimal digits. Restore it from a copy; if there is none, delete it: a new key is made, and what was recorded of secrets counts as unknown", path)
	}
	return key, nil
}

// makeKey writes a new key whole or not at all; of two at once, the first one wins.
func (d *Dir) makeKey(path string) ([]byte, error) {
	if err := d.folder(""); err != nil {
		return nil, err
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(d.path, ".key-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // a leftover is harmless
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := syncFolder(d.path); err != nil {
		return nil, err
	}
	return os.ReadFile(path) // #nosec G304 -- the store's own file
}

// folder makes a folder of the store, and the store with a .gitignore for all of
// it: neither the key nor a tenant's details belong into a repository by accident.
func (d *Dir) folder(name string) error {
	if _, err := os.Stat(d.path); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(d.path, dirMode); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(d.path, ".gitignore"), []byte("*\n"), fileMode); err != nil {
			return err
		}
		if err := syncFolder(filepath.Dir(d.path)); err != nil {
			return err
		}
	}
	if name == "" {
		return nil
	}
	if err := os.Mkdir(filepath.Join(d.path, name), dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(d.path)
}

// appendFile is a journal open for append. size is the length of its whole records.
type appendFile struct {
	f    *os.File
	size int64
}

// Append writes b and waits until the disk has it. What an error leaves half
// written is cut off again if possible; else the reader drops it as torn.
func (a *appendFile) Append(b []byte) error {
	if _, err := a.f.WriteAt(b, a.size); err != nil {
		return errors.Join(err, a.cut())
	}
	if err := a.f.Sync(); err != nil {
		return errors.Join(err, a.cut())
	}
	a.size += int64(len(b))
	return nil
}

func (a *appendFile) cut() error {
	if err := a.f.Truncate(a.size); err != nil {
		return err
	}
	return a.f.Sync()
}

func (a *appendFile) Close() error { return a.f.Close() }

// syncFolder makes a folder's new names survive a crash. Windows refuses to flush a
// folder, whose changes NTFS keeps a journal of itself.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(path) // #nosec G304 -- a folder of the store
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
