// Package console will be the web console: TypeScript sources, the build output embedded in the binary. There is no code
// yet; this is the place.
package console
