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
	// PlanDigest covers the bytes of the plan beside the record.
	PlanDigest string `json:"plan_digest"`
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

// BeginRollout gives r a name and writes its record and its plan.
func BeginRollout(s Store, r Rollout, plan []byte, random io.Reader) (Rollout, error) {
	var id [nameRandom]byte
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return r, fmt.Errorf("naming the rollout: %w", err)
	}
	r.Format, r.Name, r.PlanDigest = RolloutFormat, nameOf(r.Started, "rollout", id), digest(plan)
	return r, save(s, r, plan)
}

// SaveRollout replaces the record of a rollout.
func SaveRollout(s Store, r Rollout) error { return save(s, r, nil) }

func save(s Store, r Rollout, plan []byte) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := s.SaveRollout(r.Name, append(data, '\n'), plan); err != nil {
		return fmt.Errorf("writing the record of the rollout %s in %s: %w", r.Name, s.Where(), err)
	}
	return nil
}

// ReadRollout reads the record of a rollout and its plan; "" reads the newest.
// fs.ErrNotExist if there is none.
func ReadRollout(s Store, name string) (Rollout, []byte, error) {
	var r Rollout
	if name == "" {
		names, err := s.Rollouts()
		if err != nil {
			return r, nil, fmt.Errorf("listing the rollouts in %s: %w", s.Where(), err)
		}
		if len(names) == 0 {
			return r, nil, fmt.Errorf("there is no rollout in %s: %w", s.Where(), fs.ErrNotExist)
		}
		name = names[len(names)-1]
	}
	data, plan, err := s.Rollout(name)
	if err != nil {
		return r, nil, fmt.Errorf("reading the rollout %s: %w", name, err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, nil, fmt.Errorf("the record of the rollout %s is damaged: %w", name, err)
	}
	if r.Format != RolloutFormat {
		return r, nil, fmt.Errorf("the record of the rollout %s has the form %q; this version of ecplan reads %s", name, r.Format, RolloutFormat)
	}
	if r.PlanDigest != digest(plan) {
		return r, nil, fmt.Errorf("the plan of the rollout %s is not the one that it was begun with", name)
	}
	return r, plan, nil
}

// SaveRollout writes plan and record, each whole or not at all (on Windows as well as it can).
func (d *Dir) SaveRollout(name string, record, plan []byte) error {
	path, err := d.rollout(name)
	if err != nil {
		return err
	}
	if err := d.folder("rollouts"); err != nil {
		return err
	}
	if plan != nil {
		if err := maybe.WriteFile(path+planSuffix, plan, fileMode); err != nil {
			return err
		}
	}
	return maybe.WriteFile(path+recordSuffix, record, fileMode)
}

const (
	recordSuffix = ".json"
	planSuffix   = ".plan.json"
)

// Rollout reads a record and its plan.
func (d *Dir) Rollout(name string) (record, plan []byte, err error) {
	path, err := d.rollout(name)
	if err != nil {
		return nil, nil, err
	}
	if record, err = os.ReadFile(path + recordSuffix); err != nil { // #nosec G304 -- d.rollout refuses what is no rollout's name
		return nil, nil, err
	}
	plan, err = os.ReadFile(path + planSuffix) // #nosec G304 -- as above
	return record, plan, err
}

// Rollouts lists the rollouts.
func (d *Dir) Rollouts() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(d.path, "rollouts"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), recordSuffix); IsRollout(name) {
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
	return filepath.Join(d.path, "rollouts", name), nil
}
