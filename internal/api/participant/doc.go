// Package participant is the face that looks like Amazon Connect's participant service: what the browser of a customer or
// the panel of an agent calls, so that amazon-connect-chatjs and the AWS SDKs work unchanged.
//
//	participant.go  the operations, authenticated by the bearer token in X-Amz-Bearer
//	socket.go       the WebSocket: subscribe, heartbeat, ping, and items as they happen
//	files.go        uploads and downloads of attachments, by expiring addresses
//	faults.go       errors by the names of this service
//	limit.go        how often a participant may ask, and how often anybody may be wrong
//	handler.go      Handler: cross-origin rules, and what is no operation
//
// The model's paths begin with /participant already, so a client with the endpoint BASE calls /participant/connection and
// one with BASE/participant calls /participant/participant/connection: both are served. The WebSocket's address follows
// the host that the client used.
//
// There are no cookies: every request carries its token, so another page can do nothing in a visitor's name. Which pages
// may read the answers is configured (chat.origins).
package participant
