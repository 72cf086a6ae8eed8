// Package identity knows who may do what: instances (tenants), users, security profiles and access keys, and how a
// program proves who it is.
//
// Layout, one idea a file:
//
//	types.go        the resources, and Principal: who does something, the same whatever way they authenticated
//	hierarchy.go    the hierarchy of agents: levels of an instance, groups
//	validate.go     the rules of each resource
//	permissions.go  the known permissions and the four default security profiles
//	password.go     argon2id hashes and one-time passwords
//	seal.go         Sealer: secrets encrypted with the server's key, each bound to what it belongs to
//	accesskey.go    making of access keys
//	authenticator.go  Authenticator: HTTP request in, Principal out
//	credential.go   parsing of the Authorization header and of presigned queries
//	sigv4.go        the canonical request of AWS Signature V4 and its signature
//	session.go      Sessions: people sign in with a password, and get a token that ends by itself
//	backoff.go      Backoff: growing pauses per (who, from where) after failures
//
// A request is authenticated in this order: the credential is parsed, the back-off is asked, the key is looked up (an
// unknown one is replaced by a random secret, so that both take the same work and get the same answer), the signature
// is compared in constant time, then the user and their security profiles are read. Nothing is cached: a deleted key
// or a taken permission works at once.
//
// The package declares the lookups that it needs (Keys, and resource.Store for users and profiles); package storage
// implements them.
package identity
