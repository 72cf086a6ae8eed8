package prompts

// CheckSSML says what is wrong with marked-up text: errs.Invalid names the rule. nil if it can be spoken.
func CheckSSML(text string) error {
	_, _, err := cleanSSML(text)
	return err
}
