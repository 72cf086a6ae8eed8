package telemetry

import "errors"

// RecordingSources are what becomes of recordings after the call, read when Prometheus asks.
type RecordingSources struct {
	SpooledFiles func() float64 // complete, that wait to be uploaded
	OldestAge    func() float64 // seconds since the oldest of them was complete; 0 if there is none
	SpoolFree    func() float64 // bytes free on the disk of the spool; -1: unknown
	SpoolFull    func() float64 // 1 while no recording may be begun
	NotBegun     func() float64 // recordings, or calls, that there was no room for, ever
	StoresAway   func() float64 // buckets that do not answer
	Erased       func() float64 // recordings deleted and verified, ever
}

// ObserveRecordings registers them.
func (m *Metrics) ObserveRecordings(s RecordingSources) error {
	return errors.Join(
		m.GaugeFunc("ullim_recordings_spooled", "Recordings on the local disk that are complete and wait for their upload.", s.SpooledFiles),
		m.GaugeFunc("ullim_recordings_oldest_seconds", "Age of the oldest recording that is not uploaded; 0 if there is none.", s.OldestAge),
		m.GaugeFunc("ullim_recordings_spool_free_bytes", "Room on the disk of the spool; -1 if it is not known.", s.SpoolFree),
		m.GaugeFunc("ullim_recordings_spool_full", "1 while there is no room to begin recordings.", s.SpoolFull),
		m.CounterFunc("ullim_recordings_no_room_total", "Recordings that were not begun, or calls refused, because the spool was full.", s.NotBegun),
		m.GaugeFunc("ullim_recording_stores_away", "Buckets that do not answer.", s.StoresAway),
		m.CounterFunc("ullim_recordings_deleted_total", "Recordings deleted from the store, by people and by retention.", s.Erased),
	)
}
