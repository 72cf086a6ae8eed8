package storagetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
	"ullim/internal/jobs"
)

func testJobs(t *testing.T, open Open) {
	t.Helper()
	t.Run("life of a job", func(t *testing.T) { lifeOfJob(t, open) })
	t.Run("a job is unique while it lives", func(t *testing.T) { uniqueJobs(t, open) })
	t.Run("the earliest due comes first", func(t *testing.T) { orderOfJobs(t, open) })
	t.Run("workers at once claim each job once", func(t *testing.T) { racingWorkers(t, open) })
	t.Run("jobs are found by what they are about", func(t *testing.T) { jobsAbout(t, open) })
	t.Run("bad input", func(t *testing.T) { badJobs(t, open) })
}

func upload(key string, due time.Time) jobs.Job {
	return jobs.Job{Kind: "upload", Key: key, Payload: json.RawMessage(`{"a": 1}`), Due: due}
}

func lifeOfJob(t *testing.T, open Open) {
	t.Helper()
	db, ctx, kinds := open(t, nil), t.Context(), []string{"upload", "webhook"}
	now, lease := day(), time.Minute
	claim := func(at time.Time, want ...jobs.Job) []jobs.Job {
		t.Helper()
		got, err := db.Claim(ctx, kinds, 10, at, lease)
		must(t, err)
		for i := range min(len(got), len(want)) {
			want[i].ID = got[i].ID
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("claimed (-want +got):\n%s", d)
		}
		return got
	}
	nextDue := func(want time.Time) {
		t.Helper()
		at, ok, err := db.NextDue(ctx, kinds)
		must(t, err)
		if ok == want.IsZero() || !at.Equal(want) {
			t.Fatalf("next due at %v, %v; want %v", at, ok, want)
		}
	}
	count := func(wantAlive, wantBuried int) {
		t.Helper()
		alive, buried, err := db.Count(ctx, "upload")
		must(t, err)
		if alive != wantAlive || buried != wantBuried {
			t.Fatalf("%d alive, %d buried; want %d, %d", alive, buried, wantAlive, wantBuried)
		}
	}
	nextDue(time.Time{})
	j := upload("a", now)
	must(t, db.Enqueue(ctx, j))
	nextDue(now)
	count(1, 0)
	claim(now.Add(-time.Microsecond))
	j.Attempts = 1
	id := claim(now, j)[0].ID
	claim(now) // taken
	nextDue(now.Add(lease))
	count(1, 0)
	claim(now.Add(lease - time.Microsecond))
	j.Attempts = 2
	claim(now.Add(lease), j) // whoever had it died
	must(t, db.Extend(ctx, id, now.Add(time.Hour)))
	claim(now.Add(time.Hour - time.Microsecond))

	at := now.Add(2 * time.Hour)
	must(t, db.Retry(ctx, id, at, "server away"))
	nextDue(at)
	claim(at.Add(-time.Microsecond))
	j.Due, j.Attempts, j.LastErr = at, 3, "server away"
	claim(at, j)
	must(t, db.Complete(ctx, id))
	must(t, db.Complete(ctx, id))
	nextDue(time.Time{})
	count(0, 0)

	j = upload("b", now)
	must(t, db.Enqueue(ctx, j))
	j.Attempts = 1
	id = claim(now, j)[0].ID
	must(t, db.Bury(ctx, id, strings.Repeat("no such file \x00\xff한", 200)))
	count(0, 1)
	nextDue(time.Time{})
	claim(now.Add(1000 * time.Hour))
	must(t, db.Retry(ctx, id, now, "late")) // buried stays buried
	must(t, db.Extend(ctx, id, now))
	must(t, db.Complete(ctx, id))
	count(0, 1)
	claim(now.Add(1000 * time.Hour))
}

func uniqueJobs(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	alive := func(want int) {
		t.Helper()
		n, _, err := db.Count(ctx, "upload")
		must(t, err)
		if n != want {
			t.Fatalf("%d alive, want %d", n, want)
		}
	}
	first := upload("a", day())
	must(t, db.Enqueue(ctx, first))
	again := upload("a", day().Add(time.Hour))
	again.Payload = json.RawMessage(`"other"`)
	must(t, db.Enqueue(ctx, again))
	other := upload("a", day())
	other.Kind = "webhook"
	must(t, db.Enqueue(ctx, other))
	alive(1)
	got, err := db.Claim(ctx, []string{"upload"}, 10, day(), time.Minute)
	must(t, err)
	if len(got) != 1 || string(got[0].Payload) != `{"a": 1}` {
		t.Fatalf("claimed %+v", got)
	}
	must(t, db.Enqueue(ctx, again)) // claimed, but alive
	alive(1)
	must(t, db.Bury(ctx, got[0].ID, "x"))
	must(t, db.Enqueue(ctx, again)) // buried: a new life
	alive(1)
	got, err = db.Claim(ctx, []string{"upload"}, 10, day().Add(time.Hour), time.Minute)
	must(t, err)
	must(t, db.Complete(ctx, got[0].ID))
	must(t, db.Enqueue(ctx, again))
	alive(1)
	together(16, func(int) {
		if err := db.Enqueue(ctx, upload("contended", day())); err != nil {
			t.Error(err)
		}
	})
	alive(2)
}

func orderOfJobs(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	for _, i := range []int{3, 0, 4, 1, 2} {
		must(t, db.Enqueue(ctx, upload(fmt.Sprint(i), day().Add(time.Duration(i)*time.Second))))
	}
	foreign := upload("foreign", day().Add(-time.Hour))
	foreign.Kind = "foreign"
	must(t, db.Enqueue(ctx, foreign))
	at, ok, err := db.NextDue(ctx, []string{"upload", "none"})
	must(t, err)
	if !ok || !at.Equal(day()) {
		t.Errorf("next due at %v, %v", at, ok)
	}
	var got []string
	for _, n := range []int{2, 1, 5} {
		list, err := db.Claim(ctx, []string{"none", "upload"}, n, day().Add(3*time.Second), time.Minute)
		must(t, err)
		for _, j := range list {
			got = append(got, j.Key)
		}
		got = append(got, "|")
	}
	if want := "0 1 | 2 | 3 |"; strings.Join(got, " ") != want {
		t.Errorf("claimed %v, want %s", got, want)
	}
}

func racingWorkers(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	const n = 300
	together(4, func(i int) {
		for k := i; k < n; k += 4 {
			if err := db.Enqueue(ctx, upload(fmt.Sprint(k), day())); err != nil {
				t.Error(err)
			}
		}
	})
	var mu sync.Mutex
	seen := make(map[string]int)
	together(4, func(int) {
		for {
			list, err := db.Claim(ctx, []string{"upload"}, 7, day(), time.Hour)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			for _, j := range list {
				seen[j.Key]++
			}
			mu.Unlock()
			// None left, or (PostgreSQL) the last are in the hands of others, who get them.
			if len(list) == 0 {
				return
			}
		}
	})
	if len(seen) != n {
		t.Errorf("%d of %d jobs were claimed", len(seen), n)
	}
	for k, times := range seen {
		if times != 1 {
			t.Errorf("job %s was claimed %d times", k, times)
		}
	}
}

func badJobs(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	for _, j := range []jobs.Job{
		{Kind: "", Key: "a"},
		{Kind: "a\x00", Key: "a"},
		{Kind: "a", Key: "\xff"},
		{Kind: "a", Key: strings.Repeat("k", 1001)},
		{Kind: "a", Key: "a", Payload: json.RawMessage(`{`)},
	} {
		wantKind(t, db.Enqueue(ctx, j), errs.Invalid)
	}
	must(t, db.Enqueue(ctx, jobs.Job{Kind: "upload", Due: day()})) // no key, no payload
	for _, kinds := range [][]string{nil, {}, {"none"}} {
		list, err := db.Claim(ctx, kinds, 1, day(), time.Minute)
		must(t, err)
		_, ok, err := db.NextDue(ctx, kinds)
		must(t, err)
		if len(list) != 0 || ok {
			t.Errorf("kinds %v have %v, %v", kinds, list, ok)
		}
	}
	for _, n := range []int{0, -1} {
		list, err := db.Claim(ctx, []string{"upload"}, n, day(), time.Minute)
		must(t, err)
		if len(list) != 0 {
			t.Errorf("claimed %d of %d", len(list), n)
		}
	}
	list, err := db.Claim(ctx, []string{"upload"}, 1000, day(), time.Minute)
	must(t, err)
	if len(list) != 1 || string(list[0].Payload) != "null" {
		t.Errorf("claimed %+v", list)
	}
	if alive, buried, err := db.Count(ctx, "\x00"); err != nil || alive+buried != 0 {
		t.Errorf("count: %d, %d, %v", alive, buried, err)
	}
	must(t, db.Retry(ctx, -1, day(), "x"))
	must(t, db.Bury(ctx, 1<<62, "x"))
}

func jobsAbout(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	put := func(kind, key, payload string) {
		t.Helper()
		must(t, db.Enqueue(ctx, jobs.Job{Kind: kind, Key: key, Payload: json.RawMessage(payload), Due: day()}))
	}
	put("call", "a", `{"number":"+8210"}`)
	put("call", "b", `{"number":"+82100"}`)
	put("call", "c", `{"number":"50%_of"}`)
	put("mail", "d", `{"number":"+8210"}`)
	for text, want := range map[string]string{
		`"+8210"`: "a", `+8210`: "a b", `"50%_of"`: "c", `50%of`: "", `5__of`: "", "!": "", "nobody": "", "\x00": "",
	} {
		list, err := db.JobsAbout(ctx, "call", text, 10)
		must(t, err)
		var keys []string
		for _, j := range list {
			keys = append(keys, j.Key)
			if !j.Due.Equal(day()) || j.Kind != "call" || len(j.Payload) == 0 {
				t.Errorf("%q: %+v", text, j)
			}
		}
		slices.Sort(keys)
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("%q is in %q, want %q", text, got, want)
		}
	}
	if list, err := db.JobsAbout(ctx, "call", "82", 1); err != nil || len(list) != 1 {
		t.Errorf("%d of one, %v", len(list), err)
	}
}
