package g722

// The constants of the recommendation, as unexported arrays that nothing writes.

// qmf are the coefficients of the quadrature mirror filters (table 11/G.722), one half: the other is the mirror image.
//
//nolint:gochecknoglobals // a constant of the standard
var qmf = [12]int32{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}

// decision are the decision levels of the 6-bit quantiser of the lower band (Q6), and what is sent for each interval above
// and below zero (ILP, ILN).
//
//nolint:gochecknoglobals // constants of the standard
var (
	decision = [29]int32{
		35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458,
		1612, 1765, 1980, 2195, 2557, 2919,
	}
	above = [30]byte{
		61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32,
	}
	below = [30]byte{
		63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4,
	}
)

// level6, level4 and level2 are the inverse quantisers: QM6, QM4 of the lower band, QM2 of the higher.
//
//nolint:gochecknoglobals // constants of the standard
var (
	level6 = [64]int32{
		-136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
		-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
		24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
		4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
	}
	level4 = [16]int32{0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0}
	level2 = [4]int32{-7408, -1616, 7408, 1616}
)

// pace4 and pace2 are how a code changes the logarithm of the step (WL by RL42, WH by RH2); inverse is the anti-logarithm (ILB).
//
//nolint:gochecknoglobals // constants of the standard
var (
	pace4   = [16]int32{-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60}
	pace2   = [4]int32{798, -214, 798, -214}
	inverse = [32]int32{
		2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
		2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
	}
)
