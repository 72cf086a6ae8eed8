package say

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// said is what both languages say of a value.
type said struct{ in, english, korean string }

func compare(t *testing.T, rows []said, words func(l Language, in string) string) {
	t.Helper()
	for _, r := range rows {
		if d := cmp.Diff([]string{r.english, r.korean}, []string{words(English, r.in), words(Korean, r.in)}); d != "" {
			t.Errorf("%q: want -, got +\n%s", r.in, d)
		}
	}
}

// orNo is the words, or "no" where the text is not of that kind.
func orNo(words string, ok bool) string {
	if !ok {
		return "no"
	}
	return words
}

func TestWholeNumbersAreSaidAsPeopleCount(t *testing.T) {
	for _, r := range []struct {
		n               int64
		english, korean string
	}{
		{0, "zero", "영"},
		{1, "one", "일"},
		{10, "ten", "십"},
		{13, "thirteen", "십삼"},
		{20, "twenty", "이십"},
		{21, "twenty-one", "이십일"},
		{100, "one hundred", "백"},
		{101, "one hundred one", "백일"},
		{111, "one hundred eleven", "백십일"},
		{1000, "one thousand", "천"},
		{1100, "one thousand one hundred", "천백"},
		{2026, "two thousand twenty-six", "이천이십육"},
		{10_000, "ten thousand", "만"},
		{12_300, "twelve thousand three hundred", "만 이천삼백"},
		{20_000, "twenty thousand", "이만"},
		{110_000, "one hundred ten thousand", "십일만"},
		{100_000_000, "one hundred million", "일억"},
		{100_010_000, "one hundred million ten thousand", "일억 일만"},
		{1_234_567_890, "one billion two hundred thirty-four million five hundred sixty-seven thousand eight hundred ninety", "십이억 삼천사백오십육만 칠천팔백구십"},
		{-7, "minus seven", "마이너스 칠"},
	} {
		if d := cmp.Diff([]string{r.english, r.korean}, []string{Cardinal(English, r.n), Cardinal(Korean, r.n)}); d != "" {
			t.Errorf("%d: want -, got +\n%s", r.n, d)
		}
	}
	for _, n := range []int64{math.MinInt64, math.MaxInt64} {
		if Cardinal(English, n) == "" || Cardinal(Korean, n) == "" {
			t.Errorf("%d has no words", n)
		}
	}
}

func TestPlacesInARowAreNativeInKorean(t *testing.T) {
	for _, r := range []struct {
		n               int64
		english, korean string
	}{
		{1, "first", "첫 번째"},
		{2, "second", "두 번째"},
		{3, "third", "세 번째"},
		{5, "fifth", "다섯 번째"},
		{8, "eighth", "여덟 번째"},
		{9, "ninth", "아홉 번째"},
		{11, "eleventh", "열한 번째"},
		{12, "twelfth", "열두 번째"},
		{20, "twentieth", "스무 번째"},
		{21, "twenty-first", "스물한 번째"},
		{34, "thirty-fourth", "서른네 번째"},
		{99, "ninety-ninth", "아흔아홉 번째"},
		{100, "one hundredth", "백 번째"},
		{101, "one hundred first", "백한 번째"},
		{120, "one hundred twentieth", "백스무 번째"},
		{0, "zero", "영"},
	} {
		if d := cmp.Diff([]string{r.english, r.korean}, []string{Ordinal(English, r.n), Ordinal(Korean, r.n)}); d != "" {
			t.Errorf("%d: want -, got +\n%s", r.n, d)
		}
	}
}

func TestNumbersAsTheyAreWritten(t *testing.T) {
	compare(t, []said{
		{"42", "forty-two", "사십이"},
		{" 1,234 ", "one thousand two hundred thirty-four", "천이백삼십사"},
		{"-3.05", "minus three point zero five", "마이너스 삼 점 영오"},
		{".5", "zero point five", "영 점 오"},
		{"1.", "one", "일"},
		{"007", "seven", "칠"},
		{"1,23", "no", "no"},
		{"12a", "no", "no"},
		{"", "no", "no"},
		{"-", "no", "no"},
		{".", "no", "no"},
		{"1e9", "no", "no"},
		{"99999999999999999999", "no", "no"},
	}, func(l Language, in string) string { return orNo(Number(l, in)) })
	compare(t, []said{
		{"1/2", "one half", "이분의 일"},
		{"3/4", "three quarters", "사분의 삼"},
		{"2/3", "two thirds", "삼분의 이"},
		{"2 1/2", "two and one half", "이와 이분의 일"},
		{"3+1/3", "three and one third", "삼과 삼분의 일"},
		{"5/0", "no", "no"},
		{"5", "no", "no"},
	}, func(l Language, in string) string { return orNo(Fraction(l, in)) })
	compare(t, []said{
		{"10kg", "ten kilograms", "십 킬로그램"},
		{"1 km", "one kilometer", "일 킬로미터"},
		{"3.5 %", "three point five percent", "삼 점 오 퍼센트"},
		{"84 m2", "eighty-four square meters", "팔십사 제곱미터"},
		{"5 parsec", "no", "no"},
		{"kg", "no", "no"},
	}, func(l Language, in string) string { return orNo(Measure(l, in)) })
}

func TestTelephoneNumbersAreSaidInGroups(t *testing.T) {
	compare(t, []said{
		{"010-1234-5678", "zero one zero, one two three four, five six seven eight", "공일공, 일이삼사, 오육칠팔"},
		{"01012345678", "zero one zero, one two three four, five six seven eight", "공일공, 일이삼사, 오육칠팔"},
		{"0212345678", "zero two, one two three four, five six seven eight", "공이, 일이삼사, 오육칠팔"},
		{"02-312-3456", "zero two, three one two, three four five six", "공이, 삼일이, 삼사오육"},
		{"15881234", "one five eight eight, one two three four", "일오팔팔, 일이삼사"},
		{"+821012345678", "plus eight two, one zero, one two three four, five six seven eight", "공일공, 일이삼사, 오육칠팔"},
		{"+12065550100", "plus one, two zero six, five five five, zero one zero zero", "플러스 일, 이공육, 오오오, 공일공공"},
		{"(206) 555-0100", "two zero six, five five five, zero one zero zero", "이공육, 오오오, 공일공공"},
		{"119", "one one nine", "일일구"},
		{"02-123-4567 ext. 12", "zero two, one two three, four five six seven, extension one two", "공이, 일이삼, 사오육칠, 내선 일이"},
		{"050512345678", "zero five zero five, one two three four, five six seven eight", "공오공오, 일이삼사, 오육칠팔"},
		{"call me", "no", "no"},
		{"", "no", "no"},
		{"+", "no", "no"},
	}, func(l Language, in string) string { return orNo(Telephone(l, in)) })
	compare(t, []said{
		{"12 30", "one two, three zero", "일이, 삼공"},
		{"007", "zero zero seven", "공공칠"},
		{"A1", "no", "no"},
	}, func(l Language, in string) string { return orNo(Digits(l, in)) })
	compare(t, []said{
		{"ab-1", "A, B, dash, one", "A, B, 하이픈, 일"},
		{"a@b.kr", "A, at, B, dot, K, R", "A, 골뱅이, B, 점, K, R"},
		{"가 0", "가, zero", "가, 공"},
	}, Characters)
}

func TestDatesOfEveryFormat(t *testing.T) {
	for _, format := range []struct {
		name string
		rows []said
	}{
		{"", []said{
			{"2026-11-22", "November twenty-second, twenty twenty-six", "이천이십육년 십일월 이십이일"},
			{"20260606", "June sixth, twenty twenty-six", "이천이십육년 유월 육일"},
			{"2026-10-01T09:00:00+09:00", "October first, twenty twenty-six", "이천이십육년 시월 일일"},
			{"2026-02-30", "no", "no"},
			{"tomorrow", "no", "no"},
		}},
		{"yyyymmdd", []said{{"????0229", "February twenty-ninth", "이월 이십구일"}, {"????????", "no", "no"}, {"2026??01", "the first, twenty twenty-six", "이천이십육년 일일"}}},
		{"mdy", []said{{"12/25/1999", "December twenty-fifth, nineteen ninety-nine", "천구백구십구년 십이월 이십오일"}, {"13/1/2020", "no", "no"}}},
		{"dmy", []said{{"25.12.05", "December twenty-fifth, two thousand five", "이천오년 십이월 이십오일"}}},
		{"md", []said{{"3/1", "March first", "삼월 일일"}}},
		{"my", []said{{"3/2010", "March twenty ten", "이천십년 삼월"}}},
		{"y", []said{{"1900", "nineteen hundred", "천구백년"}, {"1905", "nineteen oh five", "천구백오년"}, {"2000", "two thousand", "이천년"}, {"2100", "twenty-one hundred", "이천백년"}}},
		{"d", []said{{"31", "the thirty-first", "삼십일일"}, {"32", "no", "no"}}},
		{"wrong", []said{{"2026-11-22", "no", "no"}}},
	} {
		compare(t, format.rows, func(l Language, in string) string { return orNo(DateOf(l, in, format.name)) })
	}
	got := []string{Date(English, Day{2026, 11, 22, true}), Date(Korean, Day{2026, 11, 22, true})}
	if d := cmp.Diff([]string{"Sunday, November twenty-second, twenty twenty-six", "이천이십육년 십일월 이십이일 일요일"}, got); d != "" {
		t.Error(d)
	}
}

func TestTimesOfDay(t *testing.T) {
	compare(t, []said{
		{"14:30", "two thirty p.m.", "오후 두 시 삼십 분"},
		{"14:05", "two oh five p.m.", "오후 두 시 오 분"},
		{"09:00", "nine a.m.", "오전 아홉 시"},
		{"00:00", "midnight", "밤 열두 시"},
		{"12:00", "noon", "낮 열두 시"},
		{"12:30", "twelve thirty p.m.", "낮 열두 시 삼십 분"},
		{"0:30", "twelve thirty a.m.", "밤 열두 시 삼십 분"},
		{"12:30 AM", "twelve thirty a.m.", "밤 열두 시 삼십 분"},
		{"2 p.m.", "two p.m.", "오후 두 시"},
		{"오후 3:15", "three fifteen p.m.", "오후 세 시 십오 분"},
		{"1430", "two thirty p.m.", "오후 두 시 삼십 분"},
		{"23:59:01", "eleven fifty-nine and one second p.m.", "오후 열한 시 오십구 분 일 초"},
		{`1'21"`, "one minute and twenty-one seconds", "일 분 이십일 초"},
		{"24:00", "no", "no"},
		{"9:5", "no", "no"},
		{"13 pm", "no", "no"},
		{"9", "no", "no"},
		{"noon", "no", "no"},
	}, func(l Language, in string) string { return orNo(TimeOf(l, in)) })
	for _, r := range []struct {
		d               time.Duration
		english, korean string
	}{
		{0, "zero seconds", "영 초"},
		{time.Second, "one second", "일 초"},
		{65 * time.Minute, "one hour and five minutes", "한 시간 오 분"},
		{20 * time.Hour, "twenty hours", "스무 시간"},
		{49*time.Hour + time.Minute + 2*time.Second, "two days, one hour, one minute and two seconds", "이일 한 시간 일 분 이 초"},
		{-time.Hour, "zero seconds", "영 초"},
	} {
		if d := cmp.Diff([]string{r.english, r.korean}, []string{Duration(English, r.d), Duration(Korean, r.d)}); d != "" {
			t.Errorf("%v: want -, got +\n%s", r.d, d)
		}
	}
}

func TestMoneyIsExact(t *testing.T) {
	compare(t, []said{
		{"12,300원", "twelve thousand three hundred won", "만 이천삼백 원"},
		{"₩1000", "one thousand won", "천 원"},
		{"$12.50", "twelve dollars and fifty cents", "십이 달러 오십 센트"},
		{"$1.01", "one dollar and one cent", "일 달러 일 센트"},
		{"USD 0.05", "five cents", "오 센트"},
		{"0 USD", "zero dollars", "영 달러"},
		{"-£3.20", "minus three pounds and twenty pence", "마이너스 삼 파운드 이십 펜스"},
		{"€1000000", "one million euros", "백만 유로"},
		{"¥500", "five hundred yen", "오백 엔"},
		{"$3.999", "three point nine nine nine dollars", "삼 점 구구구 달러"},
		{"12.50", "no", "no"},
		{"$", "no", "no"},
		{"$1,2", "no", "no"},
		{"XYZ 5", "no", "no"},
	}, func(l Language, in string) string { return orNo(MoneyOf(l, in)) })
}

func TestAQueueIsAnnounced(t *testing.T) {
	for _, r := range []struct{ want, got string }{
		{"현재 대기 순서는 세 번째입니다.", Position(Korean, 3)},
		{"현재 대기 순서는 첫 번째입니다.", Position(Korean, 0)},
		{"You are next in line.", Position(English, 1)},
		{"You are number twelve in line.", Position(English, 12)},
		{"앞에 대기 중인 고객은 스무 명입니다.", Waiting(Korean, 20)},
		{"앞에 대기 중인 고객은 백삼 명입니다.", Waiting(Korean, 103)},
		{"앞에 대기 중인 고객이 없습니다.", Waiting(Korean, 0)},
		{"There is one caller ahead of you.", Waiting(English, 1)},
		{"There is nobody ahead of you.", Waiting(English, -1)},
		{"예상 대기 시간은 일 분 이내입니다.", Wait(Korean, 59*time.Second)},
		{"예상 대기 시간은 약 오 분입니다.", Wait(Korean, 4*time.Minute+time.Second)},
		{"예상 대기 시간은 약 한 시간 십 분입니다.", Wait(Korean, 66*time.Minute)},
		{"Your estimated wait is less than a minute.", Wait(English, 0)},
		{"Your estimated wait is about one hour.", Wait(English, time.Hour)},
	} {
		if r.want != r.got {
			t.Errorf("want %q, got %q", r.want, r.got)
		}
	}
}

func TestEveryNumberHasItsOwnWords(t *testing.T) {
	for _, l := range []Language{English, Korean} {
		seen := map[string]int64{}
		for n := range int64(30_000) {
			words := Cardinal(l, n)
			if other, twice := seen[words]; twice {
				t.Fatalf("%d and %d are both %q", other, n, words)
			}
			seen[words] = n
		}
	}
}

func FuzzWordsHoldNoDigits(f *testing.F) {
	for _, s := range []string{"010-1234-5678", "$12.50", "2026-11-22", "14:30", "1/2", "10kg", "-3.05", "+821012345678", "x1", "12,300원"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, l := range []Language{English, Korean} {
			for name, read := range map[string]func(Language, string) (string, bool){
				"number": Number, "ordinal": OrdinalOf, "fraction": Fraction, "digits": Digits, "telephone": Telephone, "time": TimeOf,
				"money": MoneyOf, "measure": Measure,
				"date": func(l Language, s string) (string, bool) { return DateOf(l, s, "") },
			} {
				words, ok := read(l, in)
				if ok && (strings.TrimSpace(words) == "" || strings.ContainsFunc(words, unicode.IsDigit)) {
					t.Errorf("%s of %q in %s: %q", name, in, fmt.Sprint(l), words)
				}
			}
			_ = Characters(l, in)
		}
	})
}
