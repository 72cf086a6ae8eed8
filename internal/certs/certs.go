// Package certs keeps the certificate of this node: read from two files, read again when they change, so that a renewal
// needs no restart.
//
// Files is what is kept. Server gives the configuration of a listener, Client the certificate that we show to a peer that
// asks for ours. Both look at the newest certificate with every handshake; connections that are there stay as they are.
// Run looks at the files every few seconds. A new file that is no good (half written, another key, expired) is logged and
// the old certificate stays.
package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"ullim/internal/errs"
)

// every is how often the files are looked at.
const every = 10 * time.Second

// Options name the files, in PEM.
type Options struct {
	Name        string // of the section in the configuration, for messages: "sip.tls"
	Certificate string // the chain, ours first
	Key         string
	ClientCA    string // if set, clients must show a certificate that one of these has signed
	Log         *slog.Logger
}

// Files are a certificate and its files.
type Files struct {
	o      Options
	now    atomic.Pointer[held]
	stamps atomic.Pointer[[3]stamp] // of the files at the last look
}

// held is one reading of the files.
type held struct {
	certificate *tls.Certificate
	clients     *x509.CertPool
}

// stamp tells one version of a file from another.
type stamp struct {
	size  int64
	mtime time.Time
}

// Open reads the files. An error names the field.
func Open(o Options) (*Files, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &Files{o: o}
	stamps := f.look()
	h, err := f.read(time.Now())
	if err != nil {
		return nil, err
	}
	f.now.Store(h)
	f.stamps.Store(&stamps)
	return f, nil
}

func (f *Files) look() (s [3]stamp) {
	for i, path := range []string{f.o.Certificate, f.o.Key, f.o.ClientCA} {
		if info, err := os.Stat(path); path != "" && err == nil {
			s[i] = stamp{info.Size(), info.ModTime()}
		}
	}
	return s
}

func (f *Files) read(now time.Time) (*held, error) {
	for _, file := range []struct{ field, path string }{{"certificate", f.o.Certificate}, {"key", f.o.Key}} {
		if file.path == "" {
			return nil, errs.Field(f.o.Name+"."+file.field, "must name a file in PEM form")
		}
	}
	chain, err := os.ReadFile(f.o.Certificate)
	if err != nil {
		return nil, errs.Field(f.o.Name+".certificate", "cannot be read: %v", err)
	}
	key, err := os.ReadFile(f.o.Key)
	if err != nil {
		return nil, errs.Field(f.o.Name+".key", "cannot be read: %v", err)
	}
	certificate, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, errs.Field(f.o.Name+".certificate", "and key do not fit together: %v", err)
	}
	if !certificate.Leaf.NotAfter.After(now) {
		return nil, errs.Field(f.o.Name+".certificate", "must not be expired; ended at %s",
			certificate.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	h := &held{certificate: &certificate}
	if f.o.ClientCA == "" {
		return h, nil
	}
	roots, err := os.ReadFile(f.o.ClientCA)
	if err != nil {
		return nil, errs.Field(f.o.Name+".client_ca", "cannot be read: %v", err)
	}
	h.clients = x509.NewCertPool()
	if !h.clients.AppendCertsFromPEM(roots) {
		return nil, errs.Field(f.o.Name+".client_ca", "must hold a certificate in PEM form")
	}
	return h, nil
}

// Reload reads the files if they have changed since the last look. An error leaves the old certificate in force, and is
// not repeated until the files change again.
func (f *Files) Reload() (changed bool, err error) {
	stamps := f.look()
	if stamps == *f.stamps.Load() {
		return false, nil
	}
	f.stamps.Store(&stamps)
	h, err := f.read(time.Now())
	if err != nil {
		return false, err
	}
	f.now.Store(h)
	return true, nil
}

// Run reloads until ctx ends.
func (f *Files) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch changed, err := f.Reload(); {
		case err != nil:
			f.o.Log.Error("new certificate refused, the old one stays", "section", f.o.Name, "error", err)
		case changed:
			f.o.Log.Info("certificate reloaded", "section", f.o.Name, "expires", f.Expires().UTC().Format(time.RFC3339))
		}
	}
}

// Expires is when the certificate ends.
func (f *Files) Expires() time.Time { return f.now.Load().certificate.Leaf.NotAfter }

// Server is the configuration of a listener: TLS 1.2 and up, the newest certificate.
func (f *Files) Server() *tls.Config {
	c := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.now.Load().certificate, nil },
	}
	if f.o.ClientCA != "" {
		c.ClientAuth = tls.RequireAndVerifyClientCert
		c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
			now := c.Clone()
			now.GetConfigForClient, now.ClientCAs = nil, f.now.Load().clients
			return now, nil
		}
	}
	return c
}

// Client gives our certificate to a server that asks for one.
func (f *Files) Client(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	h := f.now.Load()
	if h == nil {
		return nil, errors.New("certs: no certificate")
	}
	return h.certificate, nil
}
