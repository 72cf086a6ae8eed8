package ivr

import "strings"

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

// lookup answers a data path (A1.9); false if it has no value.
func (s *session) lookup(path []string) (string, bool) {
	info := s.info()
	rest := path[1:]
	switch path[0] {
	case "Attributes":
		return fromMap(info.Attributes, rest)
	case "FlowAttributes":
		return fromMap(s.attributes, rest)
	case "CustomerEndpoint":
		return fromMap(map[string]string{
			"Address": info.Customer.Address, "Type": string(info.Customer.Type), "DisplayName": info.Customer.DisplayName,
		}, rest)
	case "SystemEndpoint":
		return fromMap(map[string]string{
			"Address": info.System.Address, "Type": string(info.System.Type), "DisplayName": info.System.DisplayName,
		}, rest)
	case "Queue":
		return info.Queue.lookup(rest)
	case "Agent":
		return info.Agent.lookup(rest)
	case "Media":
		if len(rest) == 3 && rest[0] == "Sip" && rest[1] == "Headers" {
			return header(info.SIPHeaders, rest[2])
		}
		return "", false
	}
	if len(rest) > 0 {
		return "", false
	}
	return fromMap(map[string]string{
		"ContactId": info.ContactID, "InitialContactId": info.InitialContactID,
		"PreviousContactId": info.PreviousContactID, "Channel": string(info.Channel),
		"InitiationMethod": string(info.InitiationMethod), "InstanceARN": info.InstanceARN,
		"LanguageCode": info.Language, "TextToSpeechVoiceId": info.Voice, "StoredCustomerInput": s.stored,
		"CustomerCallbackNumber": info.Customer.Address,
	}, path)
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
