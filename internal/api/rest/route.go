package rest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// node is a place in the tree of paths.
type node struct {
	static  map[string]*node
	label   *node
	methods map[string]*Operation
}

// insert adds an operation under prefix + its path.
func (n *node) insert(prefix string, o *Operation) error {
	at := n
	for _, seg := range strings.Split(prefix+o.Path, "/")[1:] {
		if _, ok := labelOf(seg); ok {
			if at.label == nil {
				at.label = &node{}
			}
			at = at.label
			continue
		}
		if at.static == nil {
			at.static = make(map[string]*node)
		}
		if at.static[seg] == nil {
			at.static[seg] = &node{}
		}
		at = at.static[seg]
	}
	if at.methods == nil {
		at.methods = make(map[string]*Operation)
	}
	if other := at.methods[o.Method]; other != nil {
		return fmt.Errorf("rest: %s and %s have the same path", other.Name, o.Name)
	}
	at.methods[o.Method] = o
	return nil
}

// split cuts an escaped path into unescaped segments: first split, then unescape, so that an ARN's %2F does not make
// segments. Paths with empty or dot segments are none of ours.
func split(path string) ([]string, bool) {
	if !strings.HasPrefix(path, "/") {
		return nil, false
	}
	parts := strings.Split(path[1:], "/")
	if len(parts) > 1 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1] // SDKs leave a slash behind some paths
	}
	for i, p := range parts {
		text, err := url.PathUnescape(p)
		if err != nil || text == "" || text == "." || text == ".." {
			return nil, false
		}
		parts[i] = text
	}
	return parts, true
}

// find gives the node of a path and its label values, in order. Fixed segments win over labels.
func (n *node) find(segments []string) (*node, []string) {
	if len(segments) == 0 {
		if n.methods == nil {
			return nil, nil
		}
		return n, nil
	}
	if next := n.static[segments[0]]; next != nil {
		if found, labels := next.find(segments[1:]); found != nil {
			return found, labels
		}
	}
	if n.label != nil {
		if found, labels := n.label.find(segments[1:]); found != nil {
			return found, slices.Insert(labels, 0, segments[0])
		}
	}
	return nil, nil
}
