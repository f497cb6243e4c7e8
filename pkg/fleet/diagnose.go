package fleet

import (
	"context"
	"time"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/kind"
)

// Diagnose reads what the tenant logged of the OIN clients since a time, and says in
// plain words what happened, failures first. clients counts those that there are.
func (t *Target) Diagnose(ctx context.Context, since time.Time) (incidents []express.Incident, clients int, err error) {
	setup := express.FindSetup(t.Resources)
	if len(setup.Apps) == 0 {
		return nil, 0, errNoSetup
	}
	_, _, state, err := t.look(ctx, setup, express.LookOptions{})
	if err != nil {
		return nil, 0, err
	}
	for _, app := range setup.Apps {
		id := state.Found(app.Client).ID
		if id == "" {
			continue
		}
		clients++
		read := express.LogsRead(id, since)
		answers, err := t.client.Read(ctx, []kind.Read{read})
		if err != nil {
			return nil, clients, err
		}
		view := &kind.View{}
		view.Answer(answers)
		entries, _ := view.Items(read)
		for _, e := range entries {
			if in, ok := express.Explain(app, e); ok {
				incidents = append(incidents, in)
			}
		}
	}
	return express.Together(incidents), clients, nil
}
