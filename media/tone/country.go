package tone

import "time"

const ms = time.Millisecond

// Of returns the tone of a country (ISO 3166-1, two letters). Kinds that are the same everywhere, and countries that are not listed,
// have the values that ITU-T E.180 recommends. KR, US (and CA), GB, JP, DE, FR, AU and CN are listed, as in E.180
// Supplement 2.
func Of(country string, kind Kind) Spec {
	switch kind {
	case SIT: // ITU-T E.180 §7
		return Spec{Once: true, Segments: []Segment{tone(330*ms, 950), tone(330*ms, 1400), tone(330*ms, 1800)}}
	case CNG: // ITU-T T.30 §4.3.2: 0.5 s of 1,100 Hz every 3.5 s
		return cadence([]int{1100}, 500*ms, 3000*ms)
	case CED: // ITU-T V.25: 2,100 Hz for 2.6 to 4 s
		return Spec{Once: true, Segments: []Segment{tone(3300*ms, 2100)}}
	case Beep:
		return Spec{Once: true, Segments: []Segment{tone(500*ms, 1000)}}
	case Dial, Ringback, Busy, Congestion, kinds:
	}
	var of [4]Spec
	switch country {
	case "KR":
		of = [4]Spec{steady(350, 440), cadence([]int{440, 480}, 1000*ms, 2000*ms), cadence([]int{480, 620}, 500*ms, 500*ms), cadence([]int{480, 620}, 300*ms, 200*ms)}
	case "US", "CA":
		of = [4]Spec{steady(350, 440), cadence([]int{440, 480}, 2000*ms, 4000*ms), cadence([]int{480, 620}, 500*ms, 500*ms), cadence([]int{480, 620}, 250*ms, 250*ms)}
	case "GB":
		of = [4]Spec{
			steady(350, 440), cadence([]int{400, 450}, 400*ms, 200*ms, 400*ms, 2000*ms), cadence([]int{400}, 375*ms, 375*ms),
			cadence([]int{400}, 400*ms, 350*ms, 225*ms, 525*ms),
		}
	case "JP":
		ring := Segment{Hertz: [3]int{400, 16}, Length: 1000 * ms, Modulated: true}
		of = [4]Spec{steady(400), {Segments: []Segment{ring, {Length: 2000 * ms}}}, cadence([]int{400}, 500*ms, 500*ms), cadence([]int{400}, 500*ms, 500*ms)}
	case "DE":
		of = [4]Spec{steady(425), cadence([]int{425}, 1000*ms, 4000*ms), cadence([]int{425}, 480*ms, 480*ms), cadence([]int{425}, 240*ms, 240*ms)}
	case "FR":
		of = [4]Spec{steady(440), cadence([]int{440}, 1500*ms, 3500*ms), cadence([]int{440}, 500*ms, 500*ms), cadence([]int{440}, 250*ms, 250*ms)}
	case "AU":
		of = [4]Spec{
			steady(413, 438), cadence([]int{413, 438}, 400*ms, 200*ms, 400*ms, 2000*ms), cadence([]int{425}, 375*ms, 375*ms),
			cadence([]int{425}, 375*ms, 375*ms),
		}
	case "CN":
		of = [4]Spec{steady(450), cadence([]int{450}, 1000*ms, 4000*ms), cadence([]int{450}, 350*ms, 350*ms), cadence([]int{450}, 700*ms, 700*ms)}
	default:
		of = [4]Spec{steady(425), cadence([]int{425}, 1000*ms, 4000*ms), cadence([]int{425}, 500*ms, 500*ms), cadence([]int{425}, 250*ms, 250*ms)}
	}
	if kind >= kinds {
		return Spec{}
	}
	return of[kind]
}

// steady is a tone that does not end.
func steady(hertz ...int) Spec { return Spec{Segments: []Segment{tone(0, hertz...)}} }

// cadence is a tone that is on and off and on.
func cadence(hertz []int, lengths ...time.Duration) Spec {
	var s Spec
	for i, d := range lengths {
		if i%2 == 1 {
			s.Segments = append(s.Segments, Segment{Length: d})
			continue
		}
		s.Segments = append(s.Segments, tone(d, hertz...))
	}
	return s
}

func tone(d time.Duration, hertz ...int) Segment {
	s := Segment{Length: d}
	copy(s.Hertz[:], hertz)
	return s
}
