package media

import "runtime"

// newLoops are the loops of a plane: one for each processor.
func newLoops() ([]Loop, error) {
	loops := make([]Loop, 0, runtime.GOMAXPROCS(0))
	for range cap(loops) {
		l, err := NewEpollLoop()
		if err != nil {
			for _, made := range loops {
				_ = made.Close()
			}
			return nil, err
		}
		loops = append(loops, l)
	}
	return loops, nil
}
