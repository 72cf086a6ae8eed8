package ssml

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"unicode"
)

// Parse reads mark-up, with or without its <speak>. The error is a Problem: the text is not well-formed, or too deep.
func Parse(text string) (*Document, error) {
	p := &parser{dec: xml.NewDecoder(strings.NewReader(text)), doc: &Document{}}
	root := &node{tag: "speak"}
	if err := p.children(root, 0); err != nil {
		return nil, err
	}
	p.doc.root = root
	return p.doc, nil
}

type parser struct {
	dec   *xml.Decoder
	doc   *Document
	nodes int
}

func (p *parser) problem(tag, message string) Problem {
	line, column := p.dec.InputPos()
	return Problem{Line: line, Column: column, Tag: tag, Message: message}
}

// children reads up to the end of the element.
func (p *parser) children(n *node, depth int) error {
	if depth > maxDepth {
		return p.problem(n.tag, "nests too deep")
	}
	for {
		line, column := p.dec.InputPos()
		t, err := p.dec.Token()
		if errors.Is(err, io.EOF) {
			return nil // Token has seen to it that every element ended
		}
		if err != nil {
			problem := p.problem("", "is not well-formed: "+syntax(err))
			return problem
		}
		if p.nodes++; p.nodes > maxNodes {
			return p.problem("", "has too many tags")
		}
		switch t := t.(type) {
		case xml.StartElement:
			child := &node{tag: name(t.Name), attr: map[string]string{}}
			for _, a := range t.Attr {
				child.attr[name(a.Name)] = strings.Map(speakable, a.Value)
			}
			check(p.doc, child, line, column, depth)
			n.children = append(n.children, child)
			if err := p.children(child, depth+1); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		case xml.CharData:
			n.children = append(n.children, &node{text: strings.Map(speakable, string(t))})
		case xml.Comment, xml.ProcInst, xml.Directive:
		}
	}
}

// syntax is what the decoder complains of, without the line that it names too.
func syntax(err error) string {
	if s, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return s.Msg
	}
	return err.Error()
}

// name is the name as it is written; Token gives the prefix of a namespace nobody declared as its address.
func name(n xml.Name) string {
	switch n.Space {
	case "":
		return n.Local
	case "http://www.w3.org/XML/1998/namespace":
		return "xml:" + n.Local
	case "http://www.w3.org/2001/10/synthesis":
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// speakable drops control characters, which providers may take for commands.
func speakable(r rune) rune {
	switch {
	case r == '\n' || r == '\t':
		return ' '
	case unicode.IsControl(r):
		return -1
	}
	return r
}
