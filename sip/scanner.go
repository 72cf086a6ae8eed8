package sip

import "strings"

// scannerAgents are the beginnings of the User-Agent of tools that only look for victims. sipsak is not among them:
// people watch their own servers with it.
func scannerAgents() []string {
	return []string{
		"friendly-scanner", "friendly-request", "sipvicious", "sundayddr", "sip-scan", "sipcli", "pplsip", "sivus", "gulp",
		"siparmyknife", "iwar", "sipptk", "sipscan", "nmap", "smap", "scanner", "zgrab", "masscan", "sipviciousng", "ddos",
	}
}

// scannerSign says by which sign a message is a scanner's; empty: by none. An honest message has none of these.
func scannerSign(m *rawMessage) string {
	for _, h := range m.headers {
		switch h.name {
		case "user-agent", "server":
			agent := strings.ToLower(h.value)
			for _, name := range scannerAgents() {
				if strings.HasPrefix(agent, name) {
					return "User-Agent is " + name
				}
			}
		case "from", "to":
			v := strings.ToLower(clip(h.value, 200))
			switch {
			case strings.Contains(v, "sipvicious"):
				return "sipvicious in " + h.name
			case strings.Contains(v, "sip:nm@nm"), strings.Contains(v, "sip:nm2@nm2"): // nmap -sV
				return "nmap's probe"
			case strings.Contains(v, "@1.1.1.1>") && strings.Contains(v, `"`): // sipvicious without its name
				return "sipvicious's address in " + h.name
			}
		}
	}
	return ""
}
