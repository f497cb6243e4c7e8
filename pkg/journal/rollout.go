package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2/maybe"
)

// RolloutFormat is the version of a rollout's record.
const RolloutFormat = "ecplan/rollout/v1"

// Rollout is the record of one command that changes several tenants: what was to be
// done, in which order and under which rules. Each tenant's run has a journal of its
// own, whose header names the rollout; what is on no record there was never begun.
type Rollout struct {
	Format string `json:"format"`
	// Name is <time>-rollout-<id>, so that names sort by time.
	Name    string    `json:"name"`
	Tool    string    `json:"tool"`
	Command string    `json:"command"`
	Who     Who       `json:"who"`
	Started time.Time `json:"started"`
	// Ended is when all was done that could be done; zero if it was interrupted.
	Ended time.Time `json:"ended,omitzero"`
	// Waves are the tenants in their order.
	Waves []RolloutWave `json:"waves"`
	// MaxFailures is how many tenants may fail; -1 says that any number may.
	MaxFailures int `json:"max_failures"`
	// Rollback says what is taken back when more fail: tenant, wave, all or nothing.
	Rollback string `json:"rollback"`
	// Plan is the text of the whole plan, byte for byte as it is saved.
	Plan string `json:"plan"`
}

// RolloutWave is some tenants that are changed side by side.
type RolloutWave struct {
	Name    string   `json:"name"`
	Tenants []string `json:"tenants"`
	// Check is what must hold before the next wave: verify, confirm or none.
	Check string `json:"check"`
}

var rolloutName = regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}Z-rollout-[0-9a-f]{8}$`)

// IsRollout reports whether a name is that of a rollout, and not of a run.
func IsRollout(name string) bool { return rolloutName.MatchString(name) }

// BeginRollout gives r a name and writes its record.
func BeginRollout(s Store, r Rollout, random io.Reader) (Rollout, error) {
	var id [nameRandom]byte
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return r, fmt.Errorf("naming the rollout: %w", err)
	}
	r.Format, r.Name = RolloutFormat, nameOf(r.Started, "rollout", id)
	return r, SaveRollout(s, r)
}

// SaveRollout replaces the record of a rollout.
func SaveRollout(s Store, r Rollout) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := s.SaveRollout(r.Name, append(data, '\n')); err != nil {
		return fmt.Errorf("writing the record of the rollout %s in %s: %w", r.Name, s.Where(), err)
	}
	return nil
}

// ReadRollout reads the record of a rollout; "" reads the newest. fs.ErrNotExist if
// there is none.
func ReadRollout(s Store, name string) (Rollout, error) {
	var r Rollout
	if name == "" {
		names, err := s.Rollouts()
		if err != nil {
			return r, fmt.Errorf("listing the rollouts in %s: %w", s.Where(), err)
		}
		if len(names) == 0 {
			return r, fmt.Errorf("there is no rollout in %s: %w", s.Where(), fs.ErrNotExist)
		}
		name = names[len(names)-1]
	}
	data, err := s.Rollout(name)
	if err != nil {
		return r, fmt.Errorf("reading the rollout %s: %w", name, err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("the record of the rollout %s is damaged: %w", name, err)
	}
	if r.Format != RolloutFormat {
		return r, fmt.Errorf("the record of the rollout %s has the form %q; this version of ecplan reads %s", name, r.Format, RolloutFormat)
	}
	return r, nil
}

// SaveRollout writes a record whole or not at all (on Windows as well as it can).
func (d *Dir) SaveRollout(name string, data []byte) error {
	path, err := d.rollout(name)
	if err != nil {
		return err
	}
	if err := d.folder("rollouts"); err != nil {
		return err
	}
	return maybe.WriteFile(path, data, fileMode)
}

// Rollout reads a record.
func (d *Dir) Rollout(name string) ([]byte, error) {
	path, err := d.rollout(name)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path) // #nosec G304 -- d.rollout refuses what is no rollout's name
}

// Rollouts lists the rollouts.
func (d *Dir) Rollouts() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(d.path, "rollouts"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), ".json"); IsRollout(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, err
}

func (d *Dir) rollout(name string) (string, error) {
	if !IsRollout(name) {
		return "", fmt.Errorf("%q is no rollout's name: %w", name, fs.ErrNotExist)
	}
	return filepath.Join(d.path, "rollouts", name+".json"), nil
}
