package participant

import (
	"io"
	"mime"
	"net/http"
	"strconv"

	"ullim/internal/chat"
	"ullim/internal/identity"
)

func methodNotAllowed(w http.ResponseWriter, allowed string) {
	w.Header().Set("Allow", allowed)
	http.Error(w, "this address is for "+allowed, http.StatusMethodNotAllowed)
}

// receive takes a file.
func (s *service) receive(w http.ResponseWriter, r *http.Request, token string) {
	if r.Method != http.MethodPut {
		methodNotAllowed(w, http.MethodPut)
		return
	}
	if err := s.o.Chats.Receive(r.Context(), token, http.MaxBytesReader(w, r.Body, chat.MaxAttachment+1)); err != nil {
		refuse(w, s.wrong(identity.Source(r), err))
		return
	}
	w.WriteHeader(http.StatusOK)
}

// file gives a file. A browser is told to keep it, never to show it as a page of ours.
func (s *service) file(w http.ResponseWriter, r *http.Request, token string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		methodNotAllowed(w, http.MethodGet)
		return
	}
	body, a, err := s.o.Chats.File(r.Context(), token)
	if err != nil {
		refuse(w, s.wrong(identity.Source(r), err))
		return
	}
	defer body.Close()
	h := w.Header()
	h.Set("Content-Type", a.ContentType)
	h.Set("Content-Length", strconv.FormatInt(a.Size, 10))
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": a.Name}))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "private, no-store")
	if r.Method == http.MethodGet {
		_, _ = io.Copy(w, body) // who is not there any more misses nothing
	}
}
