package app

import "net/http"

func (a *App) api() (http.Handler, error) { return http.NotFoundHandler(), nil }
