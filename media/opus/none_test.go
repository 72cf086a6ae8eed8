//go:build !opus

package opus

import (
	"strings"
	"testing"
)

func TestABuildWithoutOpusSaysSo(t *testing.T) {
	if Available() {
		t.Error("available")
	}
	if _, err := NewEncoder(); err == nil || !strings.Contains(err.Error(), "-tags opus") {
		t.Errorf("encoder: %v", err)
	}
	if _, err := NewDecoder(); err == nil {
		t.Error("a decoder")
	}
	var e Encoder
	var d Decoder
	if e.Encode(make([]byte, 9), make([]int16, 9))+d.Decode(make([]int16, 9), make([]byte, 9)) != 0 {
		t.Error("it made something")
	}
}
