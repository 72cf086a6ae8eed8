package say

import "strings"

// Measure reads a value with its unit ("10 kg", "3.5km", "20%") and says both. False if the unit is not known.
func Measure(l Language, text string) (string, bool) {
	text = strings.TrimSpace(text)
	end := strings.LastIndexAny(text, "0123456789") + 1
	if end == 0 {
		return "", false
	}
	d, ok := parseDecimal(text[:end])
	names := map[string][3]string{
		"mm": {"millimeter", "millimeters", "밀리미터"}, "cm": {"centimeter", "centimeters", "센티미터"}, "m": {"meter", "meters", "미터"},
		"km": {"kilometer", "kilometers", "킬로미터"}, "g": {"gram", "grams", "그램"}, "kg": {"kilogram", "kilograms", "킬로그램"},
		"mg": {"milligram", "milligrams", "밀리그램"}, "t": {"ton", "tons", "톤"}, "l": {"liter", "liters", "리터"}, "ml": {"milliliter", "milliliters", "밀리리터"},
		"%": {"percent", "percent", "퍼센트"}, "°c": {"degree Celsius", "degrees Celsius", "도"}, "°f": {"degree Fahrenheit", "degrees Fahrenheit", "화씨 도"},
		"km/h": {"kilometer per hour", "kilometers per hour", "킬로미터"}, "kb": {"kilobyte", "kilobytes", "킬로바이트"}, "mb": {"megabyte", "megabytes", "메가바이트"},
		"gb": {"gigabyte", "gigabytes", "기가바이트"}, "tb": {"terabyte", "terabytes", "테라바이트"}, "kwh": {"kilowatt hour", "kilowatt hours", "킬로와트시"},
		"m2": {"square meter", "square meters", "제곱미터"}, "m²": {"square meter", "square meters", "제곱미터"}, "평": {"pyeong", "pyeong", "평"},
		"in": {"inch", "inches", "인치"}, "ft": {"foot", "feet", "피트"}, "mi": {"mile", "miles", "마일"}, "lb": {"pound", "pounds", "파운드"}, "oz": {"ounce", "ounces", "온스"},
	}
	unit := strings.ToLower(strings.TrimSpace(text[end:]))
	name, known := names[unit]
	if unit == "" && strings.HasSuffix(strings.ToLower(text), "m2") { // the unit ends in a digit
		if d, ok = parseDecimal(strings.TrimSpace(text[:len(text)-2])); ok {
			name, known = names["m2"], true
		}
	}
	if !ok || !known {
		return "", false
	}
	if l == Korean {
		return d.words(l) + " " + name[2], true
	}
	if d.whole == 1 && d.fraction == "" {
		return d.words(l) + " " + name[0], true
	}
	return d.words(l) + " " + name[1], true
}
