package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/report"
)

// rolloutOptions says under which rules the targets are changed: those of the Rollout
// that --rollout names, of the only one that is declared, or all side by side.
func rolloutOptions(c *cli.Context, set *manifest.Set, ts []*fleet.Target, o fleet.PlanOptions, by journal.Who, tell *teller) (fleet.RolloutOptions, error) {
	ro := fleet.RolloutOptions{MaxFailures: -1, Rollback: manifest.RollbackTenant}
	tenants := infos(ts)
	r, err := rolloutNamed(set, c.String("rollout"))
	switch {
	case err != nil:
		return ro, err
	case r == nil || len(ts) == 1 && !c.IsSet("rollout"):
		ro.Waves = fleet.OneWave(tenants)
	default:
		ro.MaxFailures, ro.Rollback = r.MaxFailures, r.Rollback
		if ro.Waves, err = fleet.Order(*r, tenants); err != nil {
			return ro, err
		}
	}
	if c.String("on-failure") == onFailureKeep {
		ro.Rollback = manifest.RollbackNothing
	}
	ro.Plan = o
	underWay(c, &ro, by, tell)
	return ro, nil
}

// infos are the targets' names and labels.
func infos(ts []*fleet.Target) []manifest.TenantInfo {
	out := make([]manifest.TenantInfo, len(ts))
	for i, t := range ts {
		out[i] = manifest.TenantInfo{Name: t.Tenant.Name, Labels: t.Tenant.Labels}
	}
	return out
}

// underWay sets the options that do not depend on what is rolled out.
func underWay(c *cli.Context, ro *fleet.RolloutOptions, by journal.Who, tell *teller) {
	ro.SideBySide, ro.Progress = c.Int("side-by-side"), tell.Progress
	ro.Apply = fleet.ApplyOptions{Tool: version, Who: by, Parallel: c.Int("parallel"), Poll: executor.Poll{Limit: c.Duration("build-limit")}, Now: time.Now}
	ro.Past = pastOptions(c, by)
	ro.Past.Settled = settled(tell.lines)
	ro.Confirm = func(done, next fleet.Wave) error {
		if c.Bool("yes") {
			return nil
		}
		tell.quiet()
		err := confirm(c, fmt.Sprintf("The wave %s is done. Go on with %s (%s)?", done.Name, next.Name, some(next.Tenants)))
		switch {
		case errors.Is(err, errNobodyToAsk):
			return errors.New("there is no terminal to ask on whether it may go on; with --yes it does")
		case errors.Is(err, errNotConfirmed):
			return errors.New("nobody confirmed that it may go on")
		}
		return err
	}
}

// rolloutNamed returns the Rollout called name, or the only one, or nil if there is none.
func rolloutNamed(set *manifest.Set, name string) (*manifest.Rollout, error) {
	rs := set.Rollouts()
	var have []string
	for i := range rs {
		if rs[i].Name == name {
			return &rs[i], nil
		}
		have = append(have, rs[i].Name)
	}
	switch {
	case name != "":
		return nil, fmt.Errorf("the manifests declare no Rollout %q; they declare %s", name, strings.Join(append(have, "none else"), ", "))
	case len(rs) > 1:
		return nil, fmt.Errorf("the manifests declare several Rollouts: %s; name one with --rollout", strings.Join(have, ", "))
	case len(rs) == 1:
		return &rs[0], nil
	}
	return nil, nil //nolint:nilnil // there is none, and none was asked for
}

// hold locks the tenants and settles what was interrupted on them. What is wrong with
// one of several is its own affair; with a single one it is an error.
func hold(c *cli.Context, ts []*fleet.Target, by journal.Who, tell *teller) (unlock func(), refused fleet.Errs, err error) {
	unlock, refused = fleet.LockAll(ts, by, c.Command.Name, time.Now())
	past := pastOptions(c, by)
	past.Settled = settled(tell.lines)
	fleet.SettleAll(c.Context, ts, refused, past, func(l *journal.Log) { interrupted(tell.lines, l) })
	if len(ts) == 1 {
		for _, err := range refused {
			unlock()
			return nil, nil, err
		}
	}
	return unlock, refused, nil
}

// interrupted says that a run was, and what is done about it.
func interrupted(w io.Writer, l *journal.Log) {
	what := "run"
	if l.Header.RollsBack != "" {
		what = "rollback"
	}
	fmt.Fprintf(w, "The %s %s of %s was interrupted. The tenant is asked what became of it; then all is planned anew, and what it did stays.\n"+
		"(To finish it as it was planned: ecplan resume. To take it back: ecplan rollback.)\n", what, l.Header.Run, l.Header.Tenant)
}

// showWaves tells in which order several waves come.
func showWaves(w io.Writer, waves []fleet.Wave) {
	if len(waves) < 2 {
		return
	}
	for i, wave := range waves {
		then := ""
		if i < len(waves)-1 && wave.Check != manifest.CheckNone {
			then = "; then: " + wave.Check
		}
		fmt.Fprintf(w, "Wave %d, %s: %s%s.\n", i+1, wave.Name, some(wave.Tenants), then)
	}
}

// some names the first few of many.
func some(names []string) string {
	const most = 12
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// rollOut carries the parts out and reports. Several tenants get a record by which all
// of them can be resumed.
func rollOut(c *cli.Context, set *manifest.Set, parts []fleet.Part, p *planner.Plan, ro fleet.RolloutOptions, tell *teller) error {
	var record journal.Rollout
	if len(parts) > 1 && steps(p) > 0 {
		var err error
		if record, err = fleet.Record(parts[0].Target.Store, ro, c.Command.Name, p); err != nil {
			return err
		}
	}
	return carryOut(c, set, parts, record, ro, tell)
}

// carryOut runs a rollout, closes its record if it has one, and reports.
func carryOut(c *cli.Context, set *manifest.Set, parts []fleet.Part, record journal.Rollout, ro fleet.RolloutOptions, tell *teller) error {
	soft, hard, stop := interruptible(c.Context, tell.lines)
	defer stop()
	began := time.Now()
	ro.Apply.Hard, ro.Apply.Rollout = hard, record.Name
	ends := fleet.RollOut(soft, parts, ro)
	tell.quiet()
	r := report.RunReport{Format: report.RunFormat, Tool: version, Command: c.Command.Name, Rollout: record.Name}
	worst := exitDone
	for i := range ends {
		tr, code := tenantRun(&ends[i], len(ro.Waves) > 1)
		tr.Next = leadOn(c, set, &ends[i], record.Name == "")
		r.Tenants = append(r.Tenants, tr)
		worst = worse(worst, code)
	}
	r.Seconds = time.Since(began).Seconds()
	if record.Name != "" {
		r.Next = goOn(c, set, record, ends)
		if soft.Err() == nil {
			record.Ended = time.Now().UTC()
			if err := journal.SaveRollout(parts[0].Target.Store, record); err != nil {
				return err
			}
		}
	}
	err := runReport(c, r)
	if err == nil && worst != exitDone {
		return exit(worst, nil)
	}
	return err
}

// runReport shows what became of a command that writes; among lines of JSON it is the last one.
func runReport(c *cli.Context, r report.RunReport) error {
	w := streams(c).Out
	shown := look(c, w)
	if shown.Format == jsonLines {
		return report.Line(w, struct {
			Event  string           `json:"event"`
			Report report.RunReport `json:"report"`
		}{"summary", r})
	}
	return report.Run(w, r, shown)
}

// tenantRun reports what came of a tenant's part, with its exit code.
func tenantRun(res *fleet.Result, waves bool) (report.TenantRun, int) {
	tr := report.TenantRun{Tenant: res.Tenant, Domain: res.Domain, Same: len(res.Plan.Unchanged), Seconds: res.Took.Seconds(), Run: res.Outcome.Run}
	if waves {
		tr.Wave = res.Wave
	}
	if len(res.Outcome.Steps) > 0 {
		tr, _ = finished(tr, res.Plan, res.Outcome)
	}
	if res.Err != nil {
		tr.Error = res.Err.Error()
	}
	if res.Back != nil {
		tr.RollbackRun, tr.Rollback = res.BackOutcome.Run, results(res.Back.Plan, res.BackOutcome)
	}
	switch res.State {
	case fleet.StateDone:
		tr.Outcome = report.Done
		return tr, leaves(&tr, res)
	case fleet.StateNothing:
		tr.Outcome = report.Nothing
		return tr, leaves(&tr, res)
	case fleet.StateRefused:
		tr.Outcome = report.Refused
		return tr, exitError
	case fleet.StateNotBegun:
		tr.Outcome = report.NotBegun
		return tr, exitError
	case fleet.StateRolledBack:
		tr.Outcome, tr.Remains = report.RolledBack, nil
		return tr, exitRolledBack
	case fleet.StateFailed:
	}
	tr.Outcome = report.Failed
	stillThere(&tr, res)
	return tr, exitChanged
}

// leaves says of a tenant on which a run was taken back what could not be, and returns the
// exit code.
func leaves(tr *report.TenantRun, res *fleet.Result) int {
	if res.Takes == nil {
		return exitDone
	}
	tr.Remains = remains(res.Takes)
	if len(res.Takes.Left) > 0 {
		return exitChanged
	}
	return exitDone
}

// stillThere says of a tenant that could not be taken back why, and what remains.
func stillThere(tr *report.TenantRun, res *fleet.Result) {
	switch {
	case res.BackErr != nil:
		tr.Error += "\nIt could not be taken back: " + res.BackErr.Error()
	case res.Back == nil:
	case len(res.Back.Plan.Steps) > 0 && !res.BackOutcome.OK():
		tr.Error += "\nTaking it back failed as well: " + res.BackOutcome.Error().Error()
	default:
		tr.Remains = remains(res.Back)
	}
}

// leadOn are the commands that finish a tenant's part, or take it back. alone says that
// there is no rollout to resume, which would do it.
func leadOn(c *cli.Context, set *manifest.Set, res *fleet.Result, alone bool) []string {
	switch {
	case res.State != fleet.StateFailed || res.Outcome.Run == "":
		return nil
	case res.BackErr == nil && res.Back != nil && !res.BackOutcome.OK() && res.BackOutcome.Run != "":
		return []string{again(c, set, "resume", res.BackOutcome.Run)}
	case res.RollsBack != "":
		return []string{again(c, set, "resume", res.Outcome.Run)}
	case res.Back == nil && alone:
		return []string{again(c, set, "resume", res.Outcome.Run), again(c, set, "rollback", res.Outcome.Run)}
	}
	return nil
}

// pastRollout is a rollout on record that a command takes up again, with those of its
// tenants that the command line names, locked.
type pastRollout struct {
	set     *manifest.Set
	record  journal.Rollout
	plan    *planner.Plan
	options fleet.RolloutOptions
	ts      []*fleet.Target
	tell    *teller
	by      journal.Who
	refused fleet.Errs
	unlock  func()
}

func (r *pastRollout) close() { r.tell.quiet(); r.unlock() }

func openRollout(c *cli.Context, name string) (*pastRollout, error) {
	store, err := journal.OpenDir(c.String("store"))
	if err != nil {
		return nil, err
	}
	r := &pastRollout{by: who(streams(c))}
	if r.record, r.plan, r.options, err = fleet.Recorded(store, name); err != nil {
		return nil, err
	}
	set, in, err := load(c)
	if err != nil {
		return nil, err
	}
	r.set = set
	names, err := addressed(c, set, r.plan)
	if err != nil {
		return nil, err
	}
	if !saysWhich(c) && len(names) < len(r.plan.Tenants) {
		return nil, fmt.Errorf("the rollout %s is on %d tenants, and the manifests declare only %d of them", r.record.Name, len(r.plan.Tenants), len(names))
	}
	r.tell = newTeller(c, len(names))
	if r.ts, err = openTargets(c, set, in, names, r.tell.Progress); err != nil {
		return nil, err
	}
	r.unlock, r.refused = fleet.LockAll(r.ts, r.by, c.Command.Name, time.Now())
	fleet.Narrow(r.plan, &r.options, r.ts)
	return r, nil
}

// resumeRollout takes up a rollout again, on those of its tenants that the command line
// names: all that is not done.
func resumeRollout(c *cli.Context, name string) error {
	s := streams(c)
	r, err := openRollout(c, name)
	if err != nil {
		return err
	}
	defer r.close()
	parts := fleet.PastParts(r.ts, r.record, r.plan, r.refused)
	left := fleet.Left(parts)
	if len(left) == 0 {
		fmt.Fprintf(s.Err, "The rollout %s is done on all of these tenants (%d); there is nothing to finish.\n", r.record.Name, len(parts))
		return nil
	}
	fmt.Fprintf(s.Err, "The rollout %s has %d of %d tenants left: %s.\n", r.record.Name, len(left), len(parts), some(left))
	ro := r.options
	showWaves(s.Err, ro.Waves)
	if !c.Bool("yes") {
		if err := confirm(c, "Finish it?"); err != nil {
			return err
		}
	}
	if ro.Plan.Policies, err = fleet.LoadPolicies(c.String("policy"), c.StringSlice("file")); err != nil {
		return err
	}
	underWay(c, &ro, r.by, r.tell)
	return carryOut(c, r.set, parts, r.record, ro, r.tell)
}

// rolloutToResume says which rollout a resume without a run's name is about: the newest,
// if it is on several of the addressed tenants and not all done. ok is false if there is none.
func rolloutToResume(c *cli.Context) (name string, ok bool, err error) {
	run := c.Args().First()
	if run != "" {
		return run, journal.IsRollout(run), nil
	}
	if len(c.StringSlice("tenant")) == 1 && !strings.ContainsAny(c.StringSlice("tenant")[0], "*?[") {
		return "", false, nil // one tenant's last run
	}
	store, err := journal.OpenDir(c.String("store"))
	if err != nil {
		return "", false, err
	}
	names, err := store.Rollouts()
	if err != nil || len(names) == 0 {
		return "", false, err
	}
	return names[len(names)-1], true, nil
}
