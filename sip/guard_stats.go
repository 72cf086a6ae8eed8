package sip

// GuardStats is a snapshot of what the guard has held back; the first three are as of now.
type GuardStats struct {
	Known, Banned, Subscriptions    int
	Shed, Dropped, Silent, Oversize uint64 // messages: refused with 503 at best, over budget, of banned sources, too long
	Promoted, Demoted               uint64
	Denied                          map[string]uint64 // outgoing calls, by rule
	Cut                             uint64            // outgoing calls ended by a cap
}

// GuardStats reads the counters.
func (ep *Endpoint) GuardStats() GuardStats {
	s, known, banned := ep.trust.snapshot()
	denied, cut := ep.fraud.snapshot()
	return GuardStats{
		Known: known, Banned: banned, Subscriptions: ep.mwi.size(), Shed: s.Shed, Dropped: s.Dropped, Silent: s.Banned,
		Oversize: s.Oversize, Promoted: s.Promoted, Demoted: s.Demoted, Denied: denied, Cut: cut,
	}
}
