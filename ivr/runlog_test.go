package ivr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// runStore keeps runs in memory, or fails.
type runStore struct {
	mu      sync.Mutex
	runs    []StoredRun
	commits int
	fail    error
	deleted []string
}

func (s *runStore) PutRuns(_ context.Context, runs []StoredRun) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commits++
	if s.fail != nil {
		return s.fail
	}
	s.runs = append(s.runs, runs...)
	return nil
}

func (s *runStore) DeleteRuns(_ context.Context, instanceID string, before time.Time, most int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted = append(s.deleted, instanceID+" "+before.UTC().Format(time.DateOnly))
	if len(s.deleted) == 1 {
		return most, nil
	}
	return 0, nil
}

func (s *runStore) count() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.runs) }

func anAction(contactID string, logged bool, errorType string) ActionRun {
	return ActionRun{InstanceID: "i", ContactID: contactID, ActionID: "a", ActionType: "Loop", Logged: logged, ErrorType: errorType, Start: time.Now()}
}

func TestRunLogKeepsErrorsAlwaysAndTheRestWhenAsked(t *testing.T) {
	s := &runStore{}
	l := NewRunLog(RunLogOptions{Store: s, Always: func(id string) bool { return id == "all" }})
	l.Ran(anAction("c", false, ""))
	l.Ran(anAction("c", false, "NoMatchingError"))
	l.Ran(anAction("c", true, ""))
	all := anAction("c", false, "")
	all.InstanceID, all.Error = "all", strings.Repeat("가", 600)
	l.Ran(all)
	l.Close(t.Context())
	if len(s.runs) != 3 || s.runs[0].ErrorType == "" || !s.runs[1].Logged || len([]rune(s.runs[2].Error)) != maxRunText {
		t.Errorf("kept: %+v", s.runs)
	}
	if s.runs[0].ID >= s.runs[1].ID || s.runs[1].ID >= s.runs[2].ID {
		t.Errorf("ids do not grow: %s %s %s", s.runs[0].ID, s.runs[1].ID, s.runs[2].ID)
	}
}

func TestRunLogIsWrittenWithinASecondInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &runStore{}
		l := NewRunLog(RunLogOptions{Store: s})
		l.Start(t.Context())
		l.Ran(anAction("c", true, ""))
		time.Sleep(runInterval - time.Nanosecond)
		synctest.Wait()
		if s.count() != 0 {
			t.Error("written before its time")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if s.count() != 1 {
			t.Error("not written after a second")
		}
		for i := range runBatch {
			l.Ran(anAction(fmt.Sprint(i), true, ""))
		}
		synctest.Wait()
		if s.count() != 1+runBatch || s.commits != 2 {
			t.Errorf("a full batch: %d runs in %d commits", s.count(), s.commits)
		}
		l.Close(t.Context())
	})
}

func TestRunLogOfOneContactIsBounded(t *testing.T) {
	s := &runStore{}
	l := NewRunLog(RunLogOptions{Store: s})
	for range MaxRunsOfContact + 500 {
		l.Ran(anAction("c", true, ""))
		l.Ran(anAction("c", true, "NoMatchingError"))
	}
	l.Ran(anAction("d", true, ""))
	l.Close(t.Context())
	if len(s.runs) != 2*MaxRunsOfContact+1 {
		t.Errorf("%d runs are kept", len(s.runs))
	}
}

func TestRunLogOutlivesADatabaseThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &runStore{fail: errors.New("away")}
		written, dropped := 0, 0
		l := NewRunLog(RunLogOptions{Store: s, Written: func(w, d int) { written, dropped = written+w, dropped+d }})
		l.Start(t.Context())
		for i := range MaxRunsWaiting + 7 {
			l.Ran(anAction(fmt.Sprint(i), true, ""))
		}
		time.Sleep(10 * runInterval)
		synctest.Wait()
		s.mu.Lock()
		s.fail = nil
		s.mu.Unlock()
		time.Sleep(runInterval)
		synctest.Wait()
		if s.count() != MaxRunsWaiting || written != MaxRunsWaiting || dropped != 7 {
			t.Errorf("%d kept, %d written, %d dropped", s.count(), written, dropped)
		}
		l.Close(t.Context())
	})
}

func TestRunLogClearsAwayWhatIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &runStore{}
		l := NewRunLog(RunLogOptions{Store: s, Keep: func() map[string]int { return map[string]int{"i": 3} }})
		l.Start(t.Context())
		time.Sleep(runRetention + time.Second)
		synctest.Wait()
		day := time.Now().AddDate(0, 0, -3).UTC().Format(time.DateOnly)
		if got := strings.Join(s.deleted, ","); got != "i "+day+",i "+day { // until a batch is not full
			t.Errorf("deleted %s", got)
		}
		l.Close(t.Context())
	})
}
