package phone

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Type says what calling a number is like for the purse.
type Type string

// Types of numbers.
const (
	Ordinary   Type = ""          // geographic, mobile, and what is not known to be anything else
	TollFree   Type = "toll-free" // the called party pays
	SharedCost Type = "shared"    // costs more than an ordinary call
	Premium    Type = "premium"   // pays the called party
	Personal   Type = "personal"  // a number that follows a person: costs like premium in many countries
	Global     Type = "global"    // of no country: satellite, international networks, universal numbers
	Emergency  Type = "emergency" // must always go through
	Short      Type = "short"     // has no E.164 form: national services, private numbers
)

// Class is what a number costs and where it goes.
type Class struct {
	Country string // ISO 3166; of a short number the region that it is dialled in; "" if of no country
	Type    Type
}

// Classify says what a number in its one form (see Normalize) is, when dialled in a region.
func Classify(number, region string) Class {
	if IsEmergency(number, region) || isEmergencyAnywhere(number) {
		return Class{Country: region, Type: Emergency}
	}
	if !strings.HasPrefix(number, "+") {
		c := Class{Country: region, Type: Short}
		if n, err := phonenumbers.Parse(number, region); region != "" && err == nil && len(number) > maxShort {
			c.Type = typeOf(n)
		}
		return c
	}
	n, err := phonenumbers.Parse(number, "")
	if err != nil {
		return Class{Type: Global}
	}
	country := Country(number)
	if country == "" {
		if n.GetCountryCode() == 800 { // RFC-less, but ITU-T E.169.1: freephone
			return Class{Type: TollFree}
		}
		return Class{Type: Global}
	}
	return Class{Country: country, Type: typeOf(n)}
}

func typeOf(n *phonenumbers.PhoneNumber) Type {
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.PREMIUM_RATE:
		return Premium
	case phonenumbers.SHARED_COST:
		return SharedCost
	case phonenumbers.TOLL_FREE:
		return TollFree
	case phonenumbers.PERSONAL_NUMBER:
		return Personal
	default:
		return Ordinary
	}
}

// isEmergencyAnywhere are the numbers that every mobile network takes (3GPP TS 22.101 §10.1), so that an instance
// without a region can call for help, too.
func isEmergencyAnywhere(number string) bool { return number == "112" || number == "911" }
