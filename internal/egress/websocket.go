package egress

import (
	"context"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"ullim/internal/errs"
)

// WebSocket opens one, through the same gate. The caller sets its read limit, and closes it.
func (c *Client) WebSocket(ctx context.Context, instanceID, text string, header http.Header) (*websocket.Conn, error) {
	u, err := parse(text, "wss", "ws")
	if err != nil {
		return nil, err
	}
	free, err := c.place(ctx, instanceID, u.Host)
	if err != nil {
		return nil, err
	}
	defer free()
	target := "http" + strings.TrimPrefix(u.String(), "ws") // ws is http, wss https
	header = header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", "ullim")
	}
	conn, resp, err := websocket.Dial(ctx, target, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: gate{c.upgrade}, CheckRedirect: hops(0)}, HTTPHeader: header,
	})
	if resp != nil && resp.Body != nil && err != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, errs.Wrap(err, errs.Unavailable, "it answered %d, not with a WebSocket", resp.StatusCode)
		}
		return nil, outside(err)
	}
	return conn, nil
}
