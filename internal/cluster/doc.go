// Package cluster will let several nodes work as one: node identity, leases, a bus for hints. There is no code yet; this is
// the place. With one node, which is all there is today, the node's name in the configuration is its identity, and the
// compare-and-set in storage decides what a lease would only make cheaper.
package cluster
