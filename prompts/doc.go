// Package prompts gives flows their sound: stored prompts, built-in ones and spoken text, each made once into frames that
// are ready to be sent and then shared, read-only, by every call.
//
//	Catalogue   stored prompts by ARN, id or name (WAV in the blob store), and the built-in ones, generated in code
//	Speaker     text to Audio: limits, cache, one synthesis for all who ask the same at the same time
//	Synthesizer what Speaker asks: Espeak (a child process), ToneSynthesizer (tests); others can be added
//	Audio       20 ms frames per codec
//
// Sound of any rate is brought to 8 kHz mono by package resample, padded to whole frames, and encoded once per codec.
// Both caches are bounded by bytes and forget what was not used for longest. Work in progress is shared (flights): it
// goes on as long as one of those who asked is still waiting, and ends with the last of them, so nothing outlives its
// callers and nothing has to be closed.
//
// What callers say ends up in a child process only through standard input; the command line is made of constants and of
// values from a fixed list.
package prompts
