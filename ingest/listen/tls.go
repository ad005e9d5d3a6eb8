package listen

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLSConfig names the files and rules of the secured listeners.
type TLSConfig struct {
	// Cert and Key are PEM files.
	Cert, Key string
	// ClientCA, when set, is a PEM file: senders must then show a certificate
	// signed by one of its authorities.
	ClientCA string
	// MinVersion is a tls.Version constant; TLS 1.2 when 0.
	MinVersion uint16
}

// reloadCheck is how often, at most, the files are looked at for a change.
const reloadCheck = 5 * time.Second

// NewTLS returns the server side of TLS. The files are read again when they
// change, so that a renewed certificate needs no restart; one that cannot be
// read leaves the old one in use and is logged.
func NewTLS(c TLSConfig) (*tls.Config, error) {
	if c.Cert == "" || c.Key == "" {
		return nil, errors.New("hep.cert and hep.key name no certificate for the secured listeners")
	}
	r := &reloader{cfg: c}
	if err := r.load(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         cmp.Or(c.MinVersion, tls.VersionTLS12),
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return r.current(), nil },
	}, nil
}

type reloader struct {
	cfg TLSConfig

	mu      sync.Mutex
	config  *tls.Config
	stamp   string // sizes and times of the files that config was made of
	checked time.Time
}

// current is the configuration of the files as they are now.
func (r *reloader) current() *tls.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.checked) >= reloadCheck {
		r.checked = now
		if r.stampNow() != r.stamp {
			if err := r.loadLocked(); err != nil {
				slog.Error("the changed certificate cannot be used; the one before stays", "error", err)
			} else {
				slog.Info("certificate reloaded", "file", r.cfg.Cert)
			}
		}
	}
	return r.config
}

func (r *reloader) load() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.loadLocked()
}

func (r *reloader) loadLocked() error {
	stamp := r.stampNow()
	cert, err := tls.LoadX509KeyPair(r.cfg.Cert, r.cfg.Key)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", r.cfg.Cert, err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: cmp.Or(r.cfg.MinVersion, tls.VersionTLS12)}
	if r.cfg.ClientCA != "" {
		pem, err := os.ReadFile(r.cfg.ClientCA)
		if err != nil {
			return fmt.Errorf("client authorities: %w", err)
		}
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("client authorities: no certificate in %s", r.cfg.ClientCA)
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	r.config, r.stamp = c, stamp
	return nil
}

func (r *reloader) stampNow() string {
	var s string
	for _, file := range []string{r.cfg.Cert, r.cfg.Key, r.cfg.ClientCA} {
		if info, err := os.Stat(file); err == nil {
			s += fmt.Sprint(info.Size(), info.ModTime().UnixNano(), ";")
		}
	}
	return s
}
