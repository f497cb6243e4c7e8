package main

import (
	"fmt"
	"slices"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/report"
)

// finished completes the report of a tenant's run and returns the exit code.
func finished(tr report.TenantRun, p planner.TenantPlan, out executor.Outcome) (report.TenantRun, int) {
	tr.Run = out.Run
	tr.Steps = results(p, out)
	if out.OK() {
		tr.Outcome = report.Done
		return tr, exitDone
	}
	tr.Error = out.Error().Error()
	if !out.Changed() {
		tr.Outcome = report.Refused
		return tr, exitError
	}
	tr.Outcome = report.Failed
	for _, s := range out.Steps {
		switch {
		case s.Status == executor.Unknown:
			tr.Remains = append(tr.Remains, fmt.Sprintf("What became of %s is not on record: %v", s.ID, s.Err))
		case s.Changed:
			tr.Remains = append(tr.Remains, fmt.Sprintf("%s was done and stays.", s.ID))
		}
	}
	return tr, exitChanged
}

func results(p planner.TenantPlan, out executor.Outcome) []report.StepResult {
	var rs []report.StepResult
	for i, s := range out.Steps {
		r := report.StepResult{
			ID: s.ID, Address: s.Address, Part: p.Steps[i].Part, Action: p.Steps[i].Action,
			Outcome: stepOutcome(s.Status), ObjectID: s.ObjectID, HadEffect: s.Status == executor.Unknown && s.Changed,
		}
		if s.Err != nil {
			r.Error = s.Err.Error()
		}
		if !s.Began.IsZero() && !s.Ended.IsZero() {
			r.Seconds = s.Ended.Sub(s.Began).Seconds()
		}
		rs = append(rs, r)
	}
	return rs
}

func stepOutcome(s executor.Status) report.StepOutcome {
	switch s {
	case executor.Done:
		return report.StepDone
	case executor.Failed:
		return report.StepFailed
	case executor.Unknown:
		return report.StepUnknown
	case executor.NotStarted:
		return report.StepNotStarted
	}
	return report.StepUnknown
}

// worse returns the exit code that counts over several tenants: 3, 4, 1, 2, 0.
func worse(a, b int) int {
	order := []int{exitDone, exitPending, exitError, exitRolledBack, exitChanged}
	if slices.Index(order, a) >= slices.Index(order, b) {
		return a
	}
	return b
}
