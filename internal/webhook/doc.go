// Package webhook calls web services of a tenant's choice: in the place of AWS Lambda for contact flows, and with the same
// signature and the same manners for whatever else tells somebody outside.
//
//	function.go  the resource: a service with its URL, its secrets, and the Lambda ARNs that it stands for
//	index.go     which function a flow means: by ARN, id, name or URL, else the function "*" whose URL is a pattern
//	sign.go      Sign and Verify: HMAC-SHA256 over time and body, with two secrets while one is being replaced
//	retry.go     what is tried again, and when: a pure function
//	circuit.go   a service that is dead is not called for a while: pure but for its lock
//	call.go      Caller.Post: one delivery, with its attempts
//	outcome.go   how a delivery came out, in a word for metrics and logs
//
// A delivery has an id that stays the same over its attempts, so that a service can tell a repetition from a new one; what
// a flow asks for is delivered at least once or not at all. Nothing waits longer than the delivery's limit.
package webhook
