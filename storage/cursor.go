package storage

import (
	"encoding/base64"
	"encoding/json"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Pages.
const (
	defaultPage = 100
	maxPage     = 1000
)

// pageSize is how many rows a page may have.
func pageSize(p resource.Page) (int, error) {
	switch {
	case p.Max == 0:
		return defaultPage, nil
	case p.Max < 0 || p.Max > maxPage:
		return 0, errs.Field("MaxResults", "must be 1 to %d; is %d", maxPage, p.Max)
	}
	return p.Max, nil
}

// cursor is the place after a row: what rows are sorted by. A token is its JSON in base64url; nothing secret is in it,
// and a forged one only moves the place within what the caller may see anyway.
type cursor struct {
	Name string `json:"n,omitempty"`
	At   int64  `json:"t,omitempty"`
	ID   string `json:"i"`
}

// maxToken bounds a token: a name of maxName bytes may take six times as much when escaped.
const maxToken = 16 << 10

func (c cursor) token() string {
	b, err := json.Marshal(c)
	if err != nil {
		return "" // two strings and a number always encode
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor reads a token; nil for the beginning.
func parseCursor(token string) (*cursor, error) {
	if token == "" {
		return nil, nil //nolint:nilnil // no cursor is the beginning
	}
	bad := errs.Field("NextToken", "is not a token that this list gave")
	if len(token) > maxToken {
		return nil, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, bad
	}
	var c cursor
	if err = json.Unmarshal(b, &c); err != nil || c.ID == "" || !storable(c.Name) || !storable(c.ID) {
		return nil, bad
	}
	return &c, nil
}
