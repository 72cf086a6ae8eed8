// Package rest is what all faces of the HTTP API share: the AWS protocol restJson1, seen from the server.
//
// An operation is registered once, with its name, method, path, permission and a function from a request struct to an
// answer struct; routing, authentication, permission, decoding, audit, encoding, errors and the OpenAPI document all
// come from that one line:
//
//	rest.Op(t, "DescribeQueue", "GET", "/queues/{InstanceId}/{QueueId}", identity.QueuesView, s.describeQueue)
//
// The request struct says where each member comes from:
//
//	type describeQueueInput struct {
//		InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
//		QueueID    string `json:"-" path:"QueueId" ref:"queue"`
//	}
//
// "path" and "query" name a label or a parameter, everything else is a member of the JSON body. A body member without
// omitempty is required. "ref" says that a string (or each of a list) names a resource by id or ARN: the handler
// always gets the bare id. The instance must be the caller's own: any other one, existing or not, is answered with the
// same ResourceNotFoundException, before any store is asked. So tenants are kept apart in one place.
//
// Layout:
//
//	server.go   Server: one request from arrival to access log
//	trail.go    the entry that each change leaves in the audit trail
//	table.go    Table, Operation, Op, Raw: registration
//	route.go    the tree of paths; labels are unescaped after the path is split
//	decode.go   request struct from path, query and body; depth and size bounds
//	ref.go      ARNs
//	errors.go   kinds of errs as AWS errors
//	check.go    required members, control characters, references
//	time.go     Time: epoch seconds on the wire
//	key.go      keys of uploaded audio
//	openapi.go  the OpenAPI 3.1 document
package rest
