package sip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// memStore is a RegistrationStore in memory that can fail.
type memStore struct {
	mu              sync.Mutex
	rows            map[string][]Registration
	puts, refreshes int
	fail            error
}

func (s *memStore) PutRegistrations(_ context.Context, deviceID string, rs []Registration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.puts++
	if s.rows == nil {
		s.rows = make(map[string][]Registration)
	}
	s.rows[deviceID] = slices.Clone(rs)
	if len(rs) == 0 {
		delete(s.rows, deviceID)
	}
	return nil
}

func (s *memStore) Registrations(context.Context) ([]Registration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Registration
	for _, rs := range s.rows {
		all = append(all, rs...)
	}
	return all, s.fail
}

// regBench is a registrar with a clock of its own, whose changes are noted.
type regBench struct {
	*Registrar
	store   *memStore
	now     time.Time
	cseq    uint32
	changes []string
}

func newRegBench(opt RegistrarOptions) *regBench {
	b := &regBench{store: &memStore{}, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	opt.Store = b.store
	opt.OnChange = func(userID string, reachable bool) {
		b.changes = append(b.changes, fmt.Sprintf("%s %v", userID, reachable))
	}
	b.Registrar = NewRegistrar(opt)
	return b
}

func contacts(uris ...string) []RegisterContact {
	var out []RegisterContact
	for _, u := range uris {
		uri, expires, _ := strings.Cut(u, " ")
		out = append(out, RegisterContact{URI: uri, Expires: expires})
	}
	return out
}

// register sends a REGISTER of alice's device with the next CSeq; edit changes it before.
func (b *regBench) register(edit func(*RegisterRequest)) RegisterResponse {
	b.cseq++
	q := RegisterRequest{
		Device: testDevice("alice", "u1"), CallID: "call-1", CSeq: b.cseq, Source: "192.0.2.7:5060",
		Transport: "UDP", UserAgent: "Phone/1", Now: b.now,
	}
	if edit != nil {
		edit(&q)
	}
	return b.Register(context.Background(), q)
}

func (b *regBench) bind(uris ...string) RegisterResponse {
	return b.register(func(q *RegisterRequest) { q.Contacts = contacts(uris...) })
}

// state is what the registrar and the store agree on: contacts with seconds left, the oldest first.
func (b *regBench) state(t *testing.T) []string {
	t.Helper()
	got := []string{}
	b.Flush(context.Background())
	regs := b.bindings("dev-alice", b.now)
	for _, reg := range regs {
		got = append(got, fmt.Sprintf("%s %d", reg.Contact, int(reg.Expires.Sub(b.now).Round(time.Second).Seconds())))
	}
	if diff := cmp.Diff(regs, b.store.rows["dev-alice"]); diff != "" && len(regs)+len(b.store.rows["dev-alice"]) > 0 {
		t.Errorf("the store has something else:\n%s", diff)
	}
	return got
}

func (b *regBench) wantState(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), b.state(t)); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
}

func wantStatus(t *testing.T, r RegisterResponse, status int, why string) {
	t.Helper()
	if r.Status != status || !strings.Contains(r.Why, why) || (r.Why == "") != (status == 200) {
		t.Errorf("got %d %q, want %d %q", r.Status, r.Why, status, why)
	}
}

func TestARegistrationIsStoredAnsweredAndFound(t *testing.T) {
	b := newRegBench(RegistrarOptions{})
	r := b.register(func(q *RegisterRequest) {
		q.Contacts = []RegisterContact{{URI: "sip:alice@10.0.0.7:5060;ob", Expires: "300", InstanceID: `"<urn:uuid:1>"`}}
	})
	want := RegisterResponse{Status: 200, New: true, Bindings: []Binding{{Contact: "sip:alice@10.0.0.7:5060;ob", Expires: 300, SIPInstance: "urn:uuid:1"}}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	reg := Registration{
		DeviceID: "dev-alice", InstanceID: "inst", UserID: "u1", Contact: "sip:alice@10.0.0.7:5060;ob",
		Source: "192.0.2.7:5060", Transport: "UDP", CallID: "call-1", CSeq: 1, UserAgent: "Phone/1", SIPInstance: "urn:uuid:1",
		Expires: b.now.Add(300 * time.Second), Registered: b.now,
	}
	got, ok := b.Lookup("u1", b.now)
	if diff := cmp.Diff(reg, got); diff != "" || !ok {
		t.Error(ok, diff)
	}
	if diff := cmp.Diff(map[string][]Registration{"dev-alice": {reg}}, b.store.rows); diff != "" {
		t.Error(diff)
	}
	if _, ok = b.Lookup("u1", reg.Expires.Add(-1)); !ok {
		t.Error("gone before its time")
	}
	if _, ok = b.Lookup("u1", reg.Expires); ok {
		t.Error("found after its time")
	}
	if diff := cmp.Diff([]string{"u1 true"}, b.changes); diff != "" || b.Count() != 1 {
		t.Error(b.Count(), diff)
	}
}

func TestLifetimes(t *testing.T) {
	for _, c := range []struct {
		name, param, header string
		status, seconds     int
	}{
		{"the parameter goes before the header", "200", "300", 200, 200},
		{"the header holds for a contact without", "", "300", 200, 300},
		{"no wish", "", "", 200, 600},
		{"cut to the longest", "86400", "", 200, 3600},
		{"as long as a number can be", "4294967295", "", 200, 3600},
		{"the shortest", "60", "", 200, 60},
		{"too short", "59", "", 423, 0},
		{"too short in the header", "", "1", 423, 0},
		{"malformed is an hour", "soon", "", 200, 3600},
		{"negative is malformed", "-1", "", 200, 3600},
		{"spaces", " 120 ", "", 200, 120},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newRegBench(RegistrarOptions{})
			r := b.register(func(q *RegisterRequest) {
				q.Contacts, q.Expires = []RegisterContact{{URI: "sip:a@h", Expires: c.param}}, c.header
			})
			if r.Status != c.status {
				t.Fatalf("status %d %s", r.Status, r.Why)
			}
			if c.status == 423 {
				if r.MinExpires != 60 || b.Count() != 0 {
					t.Errorf("Min-Expires %d, %d bindings", r.MinExpires, b.Count())
				}
				return
			}
			b.wantState(t, fmt.Sprintf("sip:a@h %d", c.seconds))
			if r.Bindings[0].Expires != c.seconds {
				t.Errorf("answered %d", r.Bindings[0].Expires)
			}
		})
	}
}

func TestARefreshReplacesAndARemovalRemoves(t *testing.T) {
	b := newRegBench(RegistrarOptions{})
	b.bind("sip:a@h:1 300", "sip:b@h:2 400")
	b.now = b.now.Add(100 * time.Second)
	wantStatus(t, b.bind("sip:a@H:1;ob 300"), 200, "") // the same contact, written otherwise
	b.wantState(t, "sip:b@h:2 300", "sip:a@H:1;ob 300")
	r := b.register(nil)
	wantStatus(t, r, 200, "")
	want := []Binding{{Contact: "sip:a@H:1;ob", Expires: 300}, {Contact: "sip:b@h:2", Expires: 300}}
	if diff := cmp.Diff(want, r.Bindings); diff != "" {
		t.Errorf("a query: %s", diff)
	}
	b.bind("sip:b@h:2 0", "sip:unknown@h 0")
	b.wantState(t, "sip:a@H:1;ob 300")
	b.now = b.now.Add(300 * time.Second)
	if r = b.register(nil); len(r.Bindings) != 0 {
		t.Errorf("an ended binding is answered: %v", r.Bindings)
	}
	wantStatus(t, b.bind("sip:c@h 300"), 200, "")
	b.wantState(t, "sip:c@h 300")
}

func TestRemainingSecondsAreRoundedUp(t *testing.T) {
	b := newRegBench(RegistrarOptions{})
	b.bind("sip:a@h 60")
	b.now = b.now.Add(59*time.Second + time.Millisecond)
	if r := b.register(nil); r.Bindings[0].Expires != 1 {
		t.Errorf("%d s left", r.Bindings[0].Expires)
	}
}

func TestStarRemovesAllAndOnlyAlone(t *testing.T) {
	star := func(expires string, uris ...string) func(*RegisterRequest) {
		return func(q *RegisterRequest) { q.Star, q.Expires, q.Contacts = true, expires, contacts(uris...) }
	}
	b := newRegBench(RegistrarOptions{})
	b.bind("sip:a@h 300", "sip:b@h 300")
	wantStatus(t, b.register(star("")), 400, "Expires: 0")
	wantStatus(t, b.register(star("60")), 400, "Expires: 0")
	wantStatus(t, b.register(star("zero")), 400, "Expires: 0")
	wantStatus(t, b.register(star("0", "sip:a@h")), 400, "not alone")
	b.cseq = 0
	wantStatus(t, b.register(star("0")), 500, "CSeq 1 is not above 1")
	b.wantState(t, "sip:a@h 300", "sip:b@h 300")
	wantStatus(t, b.register(star("0")), 200, "")
	b.wantState(t)
	if diff := cmp.Diff([]string{"u1 true", "u1 false"}, b.changes); diff != "" {
		t.Error(diff)
	}
	b.bind("sip:a@h 300")
	r := b.register(func(q *RegisterRequest) { q.Star, q.Expires, q.CallID, q.CSeq = true, "0", "another", 1 })
	wantStatus(t, r, 200, "")
	b.wantState(t)
}

func TestAnOldCSeqOfTheSameCallChangesNothing(t *testing.T) {
	b := newRegBench(RegistrarOptions{})
	b.cseq = 9
	b.bind("sip:a@h 300")
	for _, cseq := range []uint32{10, 9} {
		r := b.register(func(q *RegisterRequest) { q.CSeq, q.Contacts = cseq, contacts("sip:new@h 300", "sip:a@h 500") })
		wantStatus(t, r, 500, "CSeq")
	}
	b.wantState(t, "sip:a@h 300")
	r := b.register(func(q *RegisterRequest) { q.CSeq, q.CallID, q.Contacts = 1, "after a reboot", contacts("sip:a@h 500") })
	wantStatus(t, r, 200, "")
	b.wantState(t, "sip:a@h 500")
}

func TestARequestIsAppliedWholeOrNotAtAll(t *testing.T) {
	b := newRegBench(RegistrarOptions{})
	b.bind("sip:a@h 300")
	for why, second := range map[string]string{
		"below the minimum": "sip:b@h 10", "neither sip": "mailto:b@h 300", "no host": "sip:b@ 300", "must be escaped": "sip:<b>@h 300",
	} {
		status := 400
		if why == "below the minimum" {
			status = 423
		}
		wantStatus(t, b.bind("sip:a@h 0", second), status, why)
	}
	wantStatus(t, b.bind(make([]string, maxContactValues+1)...), 400, "more than")
	wantStatus(t, b.bind("sip:"+strings.Repeat("a", maxContactURI)), 400, "longer")
	wantStatus(t, b.register(func(q *RegisterRequest) { q.CallID, q.Contacts = "", contacts("sip:b@h") }), 400, "Call-ID")
	wantStatus(t, b.register(func(q *RegisterRequest) {
		q.Contacts = []RegisterContact{{URI: "sip:b@h", InstanceID: strings.Repeat("i", maxSIPInstance+1)}}
	}), 400, "+sip.instance")
	b.wantState(t, "sip:a@h 300")
	puts := b.store.puts
	b.store.fail = errors.New("disk full")
	wantStatus(t, b.bind("sip:a@h 0"), 500, "could not be stored")
	wantStatus(t, b.register(nil), 200, "") // a question needs no store
	b.store.fail = nil
	b.wantState(t, "sip:a@h 300")
	if b.store.puts != puts || len(b.changes) != 1 {
		t.Errorf("%d puts, changes %v", b.store.puts-puts, b.changes)
	}
}

func TestAPhoneBehindANATKeepsOneBinding(t *testing.T) {
	b := newRegBench(RegistrarOptions{})
	phone := func(uri, source string) func(*RegisterRequest) {
		return func(q *RegisterRequest) {
			q.Contacts, q.Source = []RegisterContact{{URI: uri, InstanceID: "<urn:uuid:1>"}}, source
		}
	}
	b.register(phone("sip:a@192.0.2.1:1111", "192.0.2.1:1111"))
	b.register(phone("sip:a@192.0.2.1:2222", "192.0.2.1:2222")) // a new address, the same phone
	b.wantState(t, "sip:a@192.0.2.1:2222 600")
	b.bind("sip:x@10.0.0.1")
	b.register(func(q *RegisterRequest) { q.Contacts, q.Source = contacts("sip:x@10.0.0.1"), "192.0.2.9:9" }) // a new source, the same contact
	b.wantState(t, "sip:a@192.0.2.1:2222 600", "sip:x@10.0.0.1 600")
	all := b.All("u1", b.now)
	i := slices.IndexFunc(all, func(reg Registration) bool { return reg.Contact == "sip:x@10.0.0.1" })
	if i < 0 || all[i].Source != "192.0.2.9:9" {
		t.Errorf("the source was not learned: %+v", all)
	}
}

func TestTheNewestStayAtTheLimit(t *testing.T) {
	b := newRegBench(RegistrarOptions{MaxContacts: 2})
	for i := range 5 {
		b.now = b.now.Add(time.Second)
		wantStatus(t, b.bind(fmt.Sprintf("sip:a@h:%d", i+1)), 200, "")
	}
	b.wantState(t, "sip:a@h:4 599", "sip:a@h:5 600")
	if reg, ok := b.Lookup("u1", b.now); !ok || reg.Contact != "sip:a@h:5" {
		t.Errorf("Lookup gives %q", reg.Contact)
	}
}

func TestAUserIsReachableWhileAnyDeviceIs(t *testing.T) {
	b := newRegBench(RegistrarOptions{})
	second := func(uri string) func(*RegisterRequest) {
		return func(q *RegisterRequest) {
			q.Device, q.CallID, q.Contacts = testDevice("alice2", "u1"), "call-2", contacts(uri)
		}
	}
	b.bind("sip:a@h 100")
	b.now = b.now.Add(time.Second)
	b.register(second("sip:b@h 200"))
	all := b.All("u1", b.now)
	if len(all) != 2 || all[0].DeviceID != "dev-alice2" || b.Count() != 2 {
		t.Errorf("All: %+v", all)
	}
	next, ok := b.NextExpiry()
	if want := b.now.Add(99 * time.Second); !ok || !next.Equal(want) {
		t.Errorf("next expiry %v, want %v", next, want)
	}
	b.Expire(next.Add(-1))
	if b.Count() != 2 {
		t.Error("expired too early")
	}
	b.Expire(next)
	if b.Count() != 1 || len(b.changes) != 1 {
		t.Errorf("%d left, changes %v", b.Count(), b.changes)
	}
	if err := b.Drop(context.Background(), "dev-alice2"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"u1 true", "u1 false"}, b.changes); diff != "" || b.Count() != 0 || len(b.table.users) != 0 {
		t.Error(diff)
	}
	if _, ok = b.NextExpiry(); ok {
		t.Error("something is left to expire")
	}
	b.store.fail = errors.New("away")
	if err := b.Drop(context.Background(), "dev-alice"); err == nil {
		t.Error("Drop hides a failing store")
	}
}

func TestADeviceGivenToAnotherUserMoves(t *testing.T) {
	b := newRegBench(RegistrarOptions{})
	b.bind("sip:a@h")
	b.register(func(q *RegisterRequest) { q.Device, q.Contacts = testDevice("alice", "u2"), contacts("sip:a@h") })
	slices.Sort(b.changes)
	if diff := cmp.Diff([]string{"u1 false", "u1 true", "u2 true"}, b.changes); diff != "" {
		t.Error(diff)
	}
	if _, ok := b.Lookup("u1", b.now); ok {
		t.Error("u1 is still found")
	}
}

func TestARestartKeepsThePhones(t *testing.T) {
	b := newRegBench(RegistrarOptions{})
	b.now = time.Now()
	b.bind("sip:a@h 100", "sip:b@h 200")
	ended := b.store.rows["dev-alice"][0]
	ended.DeviceID, ended.UserID, ended.Expires = "dev-ended", "u9", b.now.Add(-time.Second)
	b.store.rows["dev-ended"] = []Registration{ended}

	again := newRegBench(RegistrarOptions{})
	again.store, again.opt.Store, again.now = b.store, b.store, b.now
	if err := again.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	again.wantState(t, "sip:a@h 100", "sip:b@h 200")
	if diff := cmp.Diff([]string{"u1 true"}, again.changes); diff != "" {
		t.Error(diff)
	}
	if _, kept := b.store.rows["dev-ended"]; kept {
		t.Error("an ended row stays in the store")
	}
	wantStatus(t, again.register(func(q *RegisterRequest) { q.CSeq, q.Contacts = 1, contacts("sip:a@h") }), 500, "CSeq")
	b.store.fail = errors.New("away")
	if err := again.Load(context.Background()); err == nil {
		t.Error("Load hides a failing store")
	}
}

func TestRunForgetsAtTheMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRegBench(RegistrarOptions{})
		var mu sync.Mutex
		var told []string
		start := time.Now()
		b.opt.OnChange = func(userID string, reachable bool) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprintf("%s %v %s", userID, reachable, time.Since(start)))
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { b.Run(ctx); close(done) }()
		synctest.Wait()
		bind := func(name, user, uri string) {
			b.register(func(q *RegisterRequest) {
				q.Now, q.Device, q.Contacts = time.Now(), testDevice(name, user), contacts(uri)
			})
		}
		bind("alice", "u1", "sip:a@h 3600")
		bind("bob", "u2", "sip:b@h 60") // sooner than what Run waits for
		time.Sleep(30 * time.Second)
		bind("bob", "u2", "sip:b@h 60") // refreshed: the first end passes unnoticed
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		mu.Lock()
		want := []string{"u1 true 0s", "u2 true 0s", "u2 false 1m30s", "u1 false 1h0m0s"}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Error(diff)
		}
		mu.Unlock()
		cancel()
		<-done
	})
}

func TestManyPhonesRegisterAtOnce(t *testing.T) {
	store := &memStore{}
	var mu sync.Mutex
	reachable := map[string]bool{}
	r := NewRegistrar(RegistrarOptions{Store: store, OnChange: func(u string, is bool) {
		mu.Lock()
		defer mu.Unlock()
		if reachable[u] == is {
			t.Errorf("%s told %v twice", u, is)
		}
		reachable[u] = is
	}})
	now := time.Now()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 200 {
				expires := "0"
				if n%2 == 0 {
					expires = "300"
				}
				d := testDevice(fmt.Sprintf("d%d", i), fmt.Sprintf("u%d", i/2)) // two devices a user
				resp := r.Register(context.Background(), RegisterRequest{
					Device: d, CallID: "c", CSeq: uint32(n + 1), Expires: expires, Now: now,
					Contacts: []RegisterContact{{URI: "sip:x@h"}},
				})
				if resp.Status != 200 {
					t.Errorf("%d %s", resp.Status, resp.Why)
				}
				r.Lookup(d.UserID, now)
				r.Expire(now)
			}
		})
	}
	wg.Wait()
	if r.Count() != 0 || len(r.table.users) != 0 || len(store.rows) != 0 {
		t.Errorf("%d bindings, %d users, %d rows left", r.Count(), len(r.table.users), len(store.rows))
	}
	for u, is := range reachable {
		if is {
			t.Errorf("%s was last told reachable", u)
		}
	}
}

func FuzzContactKey(f *testing.F) {
	for _, s := range []string{"sip:a@h", "SIPS:%61@[2001:db8::1]:5060;transport=TCP?x=y", "sip:;@", "sip:@", "tel:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		key, err := contactKey(uri)
		if (err == nil) != (key != "") {
			t.Errorf("%q: %q %v", uri, key, err)
		}
		if err == nil && !strings.HasPrefix(key, "sip") {
			t.Errorf("%q: %q", uri, key)
		}
	})
}

func TestContactsThatAreTheSame(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"sip:a@h", "SIP:a@H;ob", true},
		{"sip:a@h", "sip:%61@h", true},
		{"sip:a@h", "sip:a@h;transport=UDP", true},
		{"sip:a@h", "sip:a@h;transport=tcp", false},
		{"sip:a@h", "sip:A@h", false},
		{"sip:a@h", "sip:a@h:5060", false},
		{"sip:a@h", "sips:a@h", false},
		{"sip:h", "sip:h?subject=x", true},
	} {
		a, errA := contactKey(c.a)
		b, errB := contactKey(c.b)
		if errA != nil || errB != nil || (a == b) != c.same {
			t.Errorf("%s and %s: %q %q %v %v", c.a, c.b, a, b, errA, errB)
		}
	}
}
