package siptest

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// eventPayload is the payload type that we offer for telephone-event.
const eventPayload = 101

// session is what one side says about its media: one audio stream.
type session struct {
	addr      netip.AddrPort
	codecs    []codec // those that we know, in the order of preference; payload is the type that was offered
	events    uint8   // payload type of telephone-event
	hasEvents bool
	direction string // sendrecv, sendonly, recvonly, inactive
}

// parseSession reads an SDP body. A body without audio that we could talk to is an error.
func parseSession(body []byte) (session, error) {
	var d sdp.SessionDescription
	if err := d.Unmarshal(body); err != nil {
		return session{}, fmt.Errorf("SDP: %w", err)
	}
	for _, m := range d.MediaDescriptions {
		if m.MediaName.Media != "audio" || m.MediaName.Port.Value == 0 {
			continue
		}
		connection := d.ConnectionInformation
		if m.ConnectionInformation != nil {
			connection = m.ConnectionInformation
		}
		if connection == nil || connection.Address == nil {
			return session{}, fmt.Errorf("SDP: no address for the audio")
		}
		ip, err := netip.ParseAddr(connection.Address.Address)
		if err != nil {
			return session{}, fmt.Errorf("SDP: %w", err)
		}
		s := session{addr: netip.AddrPortFrom(ip.Unmap(), uint16(m.MediaName.Port.Value)), direction: "sendrecv"}
		s.readAttributes(d.Attributes, nil)
		names := map[string]string{"0": "PCMU", "8": "PCMA"} // RFC 3551 §6
		s.readAttributes(m.Attributes, names)
		for _, format := range m.MediaName.Formats {
			payload, perr := strconv.ParseUint(format, 10, 7)
			if perr != nil {
				continue
			}
			if names[format] == "TELEPHONE-EVENT" {
				s.events, s.hasEvents = uint8(payload), true
			} else if c, ok := codecByName(names[format]); ok {
				c.payload = uint8(payload)
				s.codecs = append(s.codecs, c)
			}
		}
		return s, nil
	}
	return session{}, fmt.Errorf("SDP: no audio")
}

func (s *session) readAttributes(list []sdp.Attribute, names map[string]string) {
	for _, a := range list {
		switch a.Key {
		case "sendrecv", "sendonly", "recvonly", "inactive":
			s.direction = a.Key
		case "rtpmap":
			payload, encoding, _ := strings.Cut(a.Value, " ")
			name, clock, _ := strings.Cut(encoding, "/")
			if names != nil && (clock == "8000" || clock == "8000/1") {
				names[payload] = strings.ToUpper(name)
			}
		}
	}
}

// bytes writes the session.
func (s *session) bytes(id, version uint64) []byte {
	family := "IP4"
	if s.addr.Addr().Is6() {
		family = "IP6"
	}
	var formats, maps strings.Builder
	for _, c := range s.codecs {
		fmt.Fprintf(&formats, " %d", c.payload)
		fmt.Fprintf(&maps, "a=rtpmap:%d %s/8000\r\n", c.payload, c.name)
	}
	if s.hasEvents {
		fmt.Fprintf(&formats, " %d", s.events)
		fmt.Fprintf(&maps, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-16\r\n", s.events, s.events)
	}
	return fmt.Appendf(nil, "v=0\r\no=- %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n"+
		"m=audio %d RTP/AVP%s\r\n%sa=ptime:20\r\na=%s\r\n",
		id, version, family, s.addr.Addr(), family, s.addr.Addr(), s.addr.Port(), formats.String(), maps.String(), s.direction)
}

// offerOf is our offer.
func offerOf(local netip.AddrPort, names []string, direction string) session {
	s := session{addr: local, events: eventPayload, hasEvents: true, direction: direction}
	for _, name := range names {
		if c, ok := codecByName(name); ok {
			s.codecs = append(s.codecs, c)
		}
	}
	return s
}

// answerTo is our answer to an offer: their first codec that is also ours. ok is false if there is none.
func answerTo(offer session, local netip.AddrPort, names []string, direction string) (s session, ok bool) {
	s = session{
		addr: local, events: offer.events, hasEvents: offer.hasEvents,
		direction: meet(direction, opposite(offer.direction)),
	}
	for _, c := range offer.codecs {
		if slices.Contains(names, c.name) {
			s.codecs = []codec{c}
			return s, true
		}
	}
	return s, false
}

func sends(direction string) bool { return direction == "sendrecv" || direction == "sendonly" }

func receives(direction string) bool { return direction == "sendrecv" || direction == "recvonly" }

func opposite(direction string) string {
	switch direction {
	case "sendonly":
		return "recvonly"
	case "recvonly":
		return "sendonly"
	}
	return direction
}

// meet is what both directions allow.
func meet(a, b string) string {
	switch send, receive := sends(a) && sends(b), receives(a) && receives(b); {
	case send && receive:
		return "sendrecv"
	case send:
		return "sendonly"
	case receive:
		return "recvonly"
	}
	return "inactive"
}
