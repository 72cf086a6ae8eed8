package ivr

import (
	"cmp"
	"strings"

	"ullim/internal/contact"
)

// info is the contact as it was when the present action began.
func (s *session) info() *Info {
	if s.snapshot == nil {
		i := s.contact.Info()
		s.snapshot = &i
	}
	return s.snapshot
}

// text is a parameter with its data paths replaced.
func (s *session) text(v value) string { return v.resolve(s.lookup, nil) }

// lookup answers a data path (A1.9) as text; false if it has no value.
func (s *session) lookup(path []string) (string, bool) {
	v, ok := s.find(path)
	if !ok {
		return "", false
	}
	return written(v), true
}

// find answers a data path: text, or a part of a JSON tree for what functions and views gave.
func (s *session) find(path []string) (any, bool) {
	switch path[0] {
	case "External", "Lex", "Metrics", "Views", "StoredCustomerInput":
		return s.memory.lookup(path)
	case "Task":
		if v, ok := s.memory.lookup(path); ok {
			return v, true
		}
	}
	return s.ofContact(path)
}

// ofContact answers the paths that the contact itself answers.
func (s *session) ofContact(path []string) (string, bool) {
	info := s.info()
	rest := path[1:]
	switch path[0] {
	case "Attributes":
		return fromMap(info.Attributes, rest)
	case "FlowAttributes":
		return fromMap(s.attributes, rest)
	case "Tags":
		return fromMap(info.Tags, rest)
	case "CustomerEndpoint":
		return ofEndpoint(info.Customer, rest)
	case "SystemEndpoint":
		return ofEndpoint(info.System, rest)
	case "Queue":
		return info.Queue.lookup(rest)
	case "Agent":
		return info.Agent.lookup(rest)
	case "References":
		return ofReferences(info.References, rest)
	case "Media":
		if len(rest) == 3 && rest[0] == "Sip" && rest[1] == "Headers" {
			return header(info.SIPHeaders, rest[2])
		}
		return "", false
	case "MediaStreams":
		if len(rest) == 3 && rest[0] == "Customer" && rest[1] == "Audio" {
			return fromMap(info.MediaStream, rest[2:])
		}
		return "", false
	case "Task":
		return fromMap(map[string]string{"ContactId": info.TaskContactID}, rest)
	}
	if len(rest) > 0 {
		return "", false
	}
	return fromMap(map[string]string{
		"ContactId": info.ContactID, "InitialContactId": info.InitialContactID,
		"PreviousContactId": info.PreviousContactID, "Channel": string(info.Channel),
		"InitiationMethod": string(info.InitiationMethod), "InstanceARN": info.InstanceARN,
		"LanguageCode": info.Language, "TextToSpeechVoiceId": info.Voice, "Name": info.Name,
		"Description": info.Description, "CustomerId": info.CustomerID,
		"CustomerCallbackNumber": cmp.Or(info.CallbackNumber, info.Customer.Address),
	}, path)
}

func ofEndpoint(e contact.Endpoint, path []string) (string, bool) {
	return fromMap(map[string]string{
		"Address": e.Address, "Type": string(e.Type), "DisplayName": e.DisplayName,
	}, path)
}

// ofReferences answers $.References.<name>.Value; without the last part it is the value too.
func ofReferences(all map[string]Reference, path []string) (string, bool) {
	if len(path) == 0 {
		return "", false
	}
	r, ok := all[path[0]]
	switch {
	case !ok:
		return "", false
	case len(path) == 1:
		return r.Value, true
	}
	return fromMap(map[string]string{"Value": r.Value, "Type": r.Type}, path[1:])
}

func (q *QueueRef) lookup(path []string) (string, bool) {
	if q == nil {
		return "", false
	}
	if len(path) == 2 && path[0] == "OutboundCallerId" {
		kind := ""
		if q.OutboundNumber != "" {
			kind = "TELEPHONE_NUMBER"
		}
		return fromMap(map[string]string{"Address": q.OutboundNumber, "Type": kind}, path[1:])
	}
	return fromMap(map[string]string{"Name": q.Name, "ARN": q.ARN}, path)
}

func (a *AgentRef) lookup(path []string) (string, bool) {
	if a == nil {
		return "", false
	}
	return fromMap(map[string]string{
		"UserName": a.Username, "FirstName": a.FirstName, "LastName": a.LastName, "ARN": a.ARN,
	}, path)
}

func fromMap(m map[string]string, path []string) (string, bool) {
	if len(path) != 1 {
		return "", false
	}
	v, ok := m[path[0]]
	return v, ok
}

// exists tells whether a path has a value. What the contact centre itself fills (a queue's name, an id) has none while
// it is empty; an attribute that was set to nothing has one.
func (s *session) exists(path []string) bool {
	v, ok := s.lookup(path)
	switch path[0] {
	case "Attributes", "FlowAttributes", "External", "Tags", "References", "Views":
		return ok
	}
	return ok && v != ""
}

// header finds a SIP header; their names have no case (RFC 3261 §7.3.1).
func header(headers map[string]string, name string) (string, bool) {
	if v, ok := headers[name]; ok {
		return v, true
	}
	for k, v := range headers {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return "", false
}
