package chat

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"time"

	"ullim/internal/errs"
)

// Lives of tokens.
const (
	connectionLife = 24 * time.Hour
	socketLife     = 100 * time.Second
	uploadLife     = 15 * time.Minute
	downloadLife   = 5 * time.Minute
)

// newToken makes a bearer token of 256 random bits and stores its hash.
func (m *Manager) newToken(ctx context.Context, t Token) (string, error) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	text := base64.RawURLEncoding.EncodeToString(raw)
	t.Hash = tokenHash(text)
	return text, m.o.Store.PutChatToken(ctx, t)
}

func tokenHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// token finds a token of a kind. The hash is the search key, so nothing is compared byte by byte.
func (m *Manager) token(ctx context.Context, text string, kind TokenKind) (Token, error) {
	denied := errs.New(errs.Denied, "the token is not valid, or not any more")
	if len(text) != 43 {
		return Token{}, denied
	}
	find := m.o.Store.ChatToken
	if kind == TokenSocket {
		find = m.o.Store.TakeChatToken
	}
	t, err := find(ctx, tokenHash(text), time.Now())
	if errs.Is(err, errs.NotFound) || err == nil && t.Kind != kind {
		return Token{}, denied
	}
	return t, err
}
