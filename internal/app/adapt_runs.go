package app

import (
	"cmp"
	"context"
	"time"

	"ullim/ivr"
)

// runLogTime is how long stopping waits for the run log to be written.
const runLogTime = 5 * time.Second

// openRunLog begins the run log of flows.
func (a *App) openRunLog() {
	a.runs = ivr.NewRunLog(ivr.RunLogOptions{
		Store: a.db, Log: a.log, Written: a.metrics.FlowRuns, Always: a.dir.logsFlows, Keep: a.dir.flowLogDays,
	})
	a.runs.Start(context.Background())
	a.life.onStopDo("run log", func() {
		ctx, cancel := context.WithTimeout(context.Background(), runLogTime)
		defer cancel()
		a.runs.Close(ctx)
	})
}

// flowRan is told of every action that a flow ran.
func (a *App) flowRan(r ivr.ActionRun) {
	a.metrics.FlowStep(r.FlowName, cmp.Or(string(r.Outcome), r.ErrorType, "ok"))
	a.runs.Ran(r)
}

// logsFlows tells whether every action of an instance is in the run log.
func (d *directory) logsFlows(instanceID string) bool {
	t := d.snap.Load().tenants[instanceID]
	return t != nil && t.instance.FlowLogs
}

// flowLogDays gives for how many days each instance keeps its run log.
func (d *directory) flowLogDays() map[string]int {
	out := map[string]int{}
	for id, t := range d.snap.Load().tenants {
		out[id] = cmp.Or(t.instance.FlowLogDays, ivr.DefaultRunDays)
	}
	return out
}
