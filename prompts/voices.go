package prompts

import "strings"

// VoiceLanguage tells which language a voice of Amazon's speech service speaks, so that flows made for Connect, which
// choose a voice and not a language, are spoken in the language they were written for. False for an unknown name.
func VoiceLanguage(voice string) (string, bool) {
	switch strings.ToLower(strings.TrimSpace(voice)) {
	case "joanna", "matthew", "ivy", "kendra", "kimberly", "salli", "joey", "justin", "kevin", "ruth", "stephen",
		"danielle", "gregory":
		return "en-US", true
	case "amy", "emma", "brian", "arthur":
		return "en-GB", true
	case "nicole", "russell", "olivia":
		return "en-AU", true
	case "raveena", "aditi", "kajal":
		return "en-IN", true
	case "seoyeon", "jihye":
		return "ko-KR", true
	case "mizuki", "takumi", "kazuha", "tomoko":
		return "ja-JP", true
	case "zhiyu":
		return "zh-CN", true
	case "celine", "céline", "lea", "léa", "mathieu", "remi", "rémi":
		return "fr-FR", true
	case "chantal", "gabrielle", "liam":
		return "fr-CA", true
	case "marlene", "vicki", "hans", "daniel":
		return "de-DE", true
	case "carla", "bianca", "giorgio", "adriano":
		return "it-IT", true
	case "conchita", "lucia", "enrique", "sergio":
		return "es-ES", true
	case "mia", "andres", "andrés":
		return "es-MX", true
	case "lupe", "penelope", "penélope", "miguel", "pedro":
		return "es-US", true
	case "camila", "vitoria", "vitória", "ricardo", "thiago":
		return "pt-BR", true
	case "ines", "inês", "cristiano":
		return "pt-PT", true
	}
	return "", false
}

// espeakVoice is the voice of espeak-ng for a language tag, first by the whole tag, then by the language alone.
func espeakVoice(language string) (string, bool) {
	tag := strings.ToLower(strings.ReplaceAll(language, "_", "-"))
	switch tag {
	case "en-us", "en-gb":
		return tag, true
	case "es-mx", "es-us", "es-419":
		return "es-419", true
	case "fr-be", "fr-ch", "pt-br":
		return tag, true
	case "zh-hk", "yue-cn", "yue-hk":
		return "yue", true
	}
	base, _, _ := strings.Cut(tag, "-")
	switch base {
	case "en":
		return "en-gb", true
	case "fr":
		return "fr-fr", true
	case "zh", "cmn":
		return "cmn", true
	case "no":
		return "nb", true
	case "ko", "ja", "de", "es", "it", "pt", "nl", "pl", "sv", "nb", "da", "fi", "ru", "uk", "cs", "sk", "hu", "ro",
		"el", "tr", "hi", "id", "vi", "ca", "cy", "is", "ar", "bg", "hr", "sl", "sr", "lt", "lv", "et", "he", "fa",
		"ms", "ta", "te", "bn", "ur", "yue":
		return base, true
	}
	return "", false
}
