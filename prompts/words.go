package prompts

import "ullim/prompts/say"

// spoken is a built-in prompt that is words: spoken by whoever speaks in this house, in the contact's language.
type spoken struct{ name, description, english, korean string }

// builtinTexts are the words that a contact centre always needs. An uploaded prompt of the same name goes before.
func builtinTexts() []spoken {
	return []spoken{
		{"Greeting", "Welcomes a caller", "Thank you for calling.", "전화해 주셔서 감사합니다."},
		{"Goodbye", "Before the call ends", "Thank you for calling. Goodbye.", "이용해 주셔서 감사합니다. 안녕히 계십시오."},
		{"PleaseHold", "Before a wait", "Please hold the line.", "잠시만 기다려 주십시오."},
		{"StillHolding", "During a wait", "Thank you for waiting. We will be with you as soon as possible.", "기다려 주셔서 감사합니다. 최대한 빨리 연결해 드리겠습니다."},
		{
			"AllAgentsBusy", "Nobody is free", "All our agents are busy at the moment. Your call will be answered in the order in which it was received.",
			"지금은 모든 상담원이 통화 중입니다. 순서대로 연결해 드리겠습니다.",
		},
		{"QueueFull", "The queue takes no more", "We cannot take more calls at the moment. Please call again later.", "지금은 대기 고객이 많아 연결해 드릴 수 없습니다. 잠시 후 다시 전화해 주십시오."},
		{"InvalidEntry", "A key that the menu does not have", "That is not a valid choice. Please try again.", "잘못 누르셨습니다. 다시 눌러 주십시오."},
		{"NoEntry", "No key was pressed", "We did not receive your choice. Please try again.", "입력이 확인되지 않았습니다. 다시 눌러 주십시오."},
		{"TooManyTries", "The last try failed", "We could not understand your choice.", "입력하신 내용을 확인할 수 없습니다."},
		{"Closed", "Outside the hours of operation", "We are closed at the moment. Please call again during our business hours.", "지금은 상담 시간이 아닙니다. 상담 시간에 다시 전화해 주십시오."},
		{"Holiday", "On a holiday", "We are closed today for a holiday.", "오늘은 휴무일입니다."},
		{
			"CallbackOffer", "Offers to call back", "If you would like us to call you back, press one. To keep waiting, stay on the line.",
			"전화를 다시 받기를 원하시면 일번을 누르시고, 계속 기다리시려면 그대로 기다려 주십시오.",
		},
		{"CallbackNumber", "Asks for the number to call back", "Please enter the number at which we can reach you, followed by the pound key.", "연락받으실 전화번호를 누르신 후 우물정자를 눌러 주십시오."},
		{"CallbackConfirmed", "A callback was noted", "We will call you back as soon as possible.", "최대한 빨리 전화드리겠습니다."},
		{"Transfer", "Before a transfer", "Your call is being transferred. Please hold the line.", "전화를 연결해 드리겠습니다. 잠시만 기다려 주십시오."},
		{"AgentConnecting", "Before an agent speaks", "You are being connected to an agent.", "상담원에게 연결해 드리겠습니다."},
		{"RecordingNotice", "The law in many places asks for it", "This call may be recorded for quality and training purposes.", "상담 품질 향상을 위해 통화 내용이 녹음될 수 있습니다."},
		{"SurveyOffer", "Asks to stay for questions", "Please stay on the line to answer a short survey.", "상담 종료 후 간단한 설문이 있으니 끊지 말고 기다려 주십시오."},
		{"MenuRepeat", "How to hear a menu again", "To hear this menu again, press star.", "다시 들으시려면 별표를 눌러 주십시오."},
		{"ToAgent", "How to reach an agent", "To speak to an agent, press zero.", "상담원 연결을 원하시면 영번을 눌러 주십시오."},
		{"EnterDigits", "Asks for digits", "Please enter the digits, followed by the pound key.", "번호를 누르신 후 우물정자를 눌러 주십시오."},
		{"Confirm", "Asks whether it is right", "If this is correct, press one. To enter it again, press two.", "맞으면 일번, 다시 입력하시려면 이번을 눌러 주십시오."},
		{"TechnicalDifficulty", "Something is broken", "We are sorry. We are having technical difficulties. Please call again later.", "죄송합니다. 시스템 장애로 연결할 수 없습니다. 잠시 후 다시 전화해 주십시오."},
	}
}

// isSpoken reports whether a built-in prompt is words.
func isSpoken(name string) bool {
	_, _, ok := builtinText(name, "")
	return ok
}

// builtinText is the words of a built-in prompt and the language that they are in: the one asked for, or else English.
func builtinText(name, language string) (text, tag string, ok bool) {
	for _, s := range builtinTexts() {
		if s.name != name {
			continue
		}
		switch l, known := say.For(language); {
		case known && l == say.Korean:
			return s.korean, "ko-KR", true
		case known:
			return s.english, language, true
		}
		return s.english, "en-US", true
	}
	return "", "", false
}
