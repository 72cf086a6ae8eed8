package telemetry

import (
	"io"
	"log/slog"
	"strings"

	"ullim/internal/errs"
)

// NewLogger makes a logger that writes to w, from a level (debug, info, warn, error) and a format (text, json). Whatever
// comes from the network is an attribute and not part of the message, so that it is escaped.
func NewLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var least slog.Level
	switch strings.ToLower(level) {
	case "debug":
		least = slog.LevelDebug
	case "", "info":
		least = slog.LevelInfo
	case "warn":
		least = slog.LevelWarn
	case "error":
		least = slog.LevelError
	default:
		return nil, errs.Field("log.level", "must be debug, info, warn or error; got %q", level)
	}
	opt := &slog.HandlerOptions{Level: least}
	switch strings.ToLower(format) {
	case "", "text":
		return slog.New(slog.NewTextHandler(w, opt)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opt)), nil
	default:
		return nil, errs.Field("log.format", "must be text or json; got %q", format)
	}
}
