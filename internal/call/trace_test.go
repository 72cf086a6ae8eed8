package call

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

func (w *testWorld) trace(before Phase, e Event, es []Effect) {
	if os.Getenv("SEED") == "" {
		return
	}
	n, _ := strconv.Atoi(os.Getenv("SEED"))
	if uint64(n) != w.seed {
		return
	}
	fmt.Printf("%s -> %s rec %s aside %d %s: %T %+v => %s\n", before, w.s.Phase, w.s.Record.ID, w.s.Aside.Stage, w.s.Aside.ID, e, e, names(es))
}

var _ testing.TB
