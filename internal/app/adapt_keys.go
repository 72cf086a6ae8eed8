package app

import "ullim/ivr"

var _ ivr.KeyDropper = voice{}

// DropKeys forgets the keys that nobody has asked for.
func (v voice) DropKeys() { v.c.DropDigits() }
