package trace

import (
	"fmt"
	"html"
	"strings"
)

// Sizes of the picture, in pixels.
const (
	svgMargin = 90
	svgColumn = 260
	svgTop    = 60
	svgRow    = 26
)

// SVG is the trace as a ladder diagram. Each arrow has its whole message as a tool tip. Everything from the wire is escaped.
func (t *Trace) SVG() string {
	l := t.lay()
	width := 2*svgMargin + svgColumn*max(len(l.columns)-1, 1)
	height := svgTop + svgRow*(len(l.rows)+1)
	x := func(column int) int { return svgMargin + column*svgColumn }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="monospace" font-size="12">`,
		width, height, width, height)
	fmt.Fprintf(&b, "\n<title>%s</title>\n", html.EscapeString("contact "+t.ContactID))
	b.WriteString(`<rect width="100%" height="100%" fill="#ffffff"/>
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path d="M0 0 L8 4 L0 8 z" fill="#1f4e79"/></marker></defs>
`)
	for i, c := range l.columns {
		fmt.Fprintf(&b, `<text x="%d" y="30" text-anchor="middle" font-weight="bold">%s</text>`+"\n", x(i), html.EscapeString(c))
		fmt.Fprintf(&b, `<line x1="%d" y1="40" x2="%d" y2="%d" stroke="#b0b0b0"/>`+"\n", x(i), x(i), height-10)
	}
	for i, r := range l.rows {
		y := svgTop + svgRow*i
		fmt.Fprintf(&b, `<text x="4" y="%d" fill="#707070">%s</text>`+"\n", y+4, strings.TrimSpace(l.offset(r)))
		if r.fact {
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle" fill="#7a3e00">%s</text>`+"\n", x(l.self), y+4,
				html.EscapeString(cut(r.text, 120)))
			continue
		}
		from, to := x(l.self), x(r.column)
		if !r.sent {
			from, to = to, from
		}
		fmt.Fprintf(&b, `<g><title>%s</title><line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#1f4e79" marker-end="url(#tip)"/>`,
			html.EscapeString(r.detail), from, y, to, y)
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text></g>`+"\n", (from+to)/2, y-4,
			html.EscapeString(cut(r.text, 60)))
	}
	b.WriteString("</svg>\n")
	return b.String()
}
