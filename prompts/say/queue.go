package say

import "time"

// Position announces a caller's place in the queue, counted from 1.
func Position(l Language, n int64) string {
	n = max(n, 1)
	switch {
	case l == Korean:
		return "현재 대기 순서는 " + Ordinal(l, n) + "입니다."
	case n == 1:
		return "You are next in line."
	}
	return "You are number " + Cardinal(l, n) + " in line."
}

// Waiting announces how many are ahead in the queue.
func Waiting(l Language, n int64) string {
	switch n = max(n, 0); {
	case l == Korean && n == 0:
		return "앞에 대기 중인 고객이 없습니다."
	case l == Korean:
		return "앞에 대기 중인 고객은 " + People(l, n) + "입니다."
	case n == 0:
		return "There is nobody ahead of you."
	case n == 1:
		return "There is one caller ahead of you."
	}
	return "There are " + Cardinal(l, n) + " callers ahead of you."
}

// Wait announces how long it will take, in whole minutes upwards; from an hour on in steps of five minutes, because nobody
// can know it better.
func Wait(l Language, d time.Duration) string {
	minutes := (max(d, 0) + time.Minute - 1) / time.Minute
	if minutes > 60 {
		minutes = (minutes + 4) / 5 * 5
	}
	switch {
	case l == Korean && d < time.Minute:
		return "예상 대기 시간은 일 분 이내입니다."
	case l == Korean:
		return "예상 대기 시간은 약 " + Duration(l, minutes*time.Minute) + "입니다."
	case d < time.Minute:
		return "Your estimated wait is less than a minute."
	}
	return "Your estimated wait is about " + Duration(l, minutes*time.Minute) + "."
}
