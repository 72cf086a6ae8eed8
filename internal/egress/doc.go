// Package egress is the one way by which ullim calls an address that a tenant has chosen: webhooks, live audio, whatever
// else is configured through the API or comes out of a flow. A tenant must not reach through it what only this machine
// reaches (SSRF).
//
//	address.go  which addresses the internet has, and which only look like it
//	allow.go    the operator's list of exceptions
//	guard.go    may this host, at this address and port, be called? Asked again at every connect
//	url.go      what a URL and a header may look like, before anything is resolved
//	slots.go    how many calls an instance may have under way, in all and to one host
//	client.go   Client.Do: a request with bounds on everything
//	websocket.go Client.WebSocket: the same for a connection that stays
//
// A name is resolved here, each address is judged, and the connection is made to the address that was judged, never to
// the name: whoever changes the name's address in between (DNS rebinding) changes nothing. Redirects are not followed
// unless the caller asks for it, and each goes through the same gate. Proxies of the environment are not used.
//
//	https, a port of the list, a public address that is not one of ours   may be called
//	whatever Options.Allow names                                          may be called, with http, at any address
//	everything else                                                       errs.Denied
//
// Errors say to the caller what kind of thing failed and nothing of what was found inside: whether a port is open, which
// address a name has, or what a service answered is in their cause, for the log.
package egress
