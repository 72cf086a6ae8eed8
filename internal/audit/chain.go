package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Chain is the hash of an entry behind one whose hash is prev ("" for the first): SHA-256 over prev, a line feed and the
// entry's JSON without its own hash. Whoever changes or removes an entry must change all that follow, and cannot change
// a hash that was noted down elsewhere.
func Chain(prev string, e Entry) (string, error) {
	e.Hash = ""
	e.At = e.At.UTC().Truncate(time.Microsecond)
	b, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("audit: %w", err)
	}
	sum := sha256.Sum256(append([]byte(prev+"\n"), b...))
	return hex.EncodeToString(sum[:]), nil
}

// Verify checks entries in the order of Seq against the hash and the number of the one before the first. It gives the
// number of the first entry that does not fit, 0 if all do, and the last hash.
func Verify(prev string, seq int64, entries []Entry) (broken int64, last string, err error) {
	for _, e := range entries {
		seq++
		want, err := Chain(prev, e)
		if err != nil {
			return 0, prev, err
		}
		if e.Seq != seq || e.Hash != want {
			return seq, prev, nil
		}
		prev = e.Hash
	}
	return 0, prev, nil
}

// ChainState is what Verify has found of an instance's whole trail.
type ChainState struct {
	Seq     int64  // of the newest entry
	Hash    string // of the newest entry: note it down elsewhere, and nothing before it can be changed unseen
	Entries int64  // that are kept
	Broken  int64  // the first entry that does not fit; 0: none
}
