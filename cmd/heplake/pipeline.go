package main

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/heplake/heplake/ingest"
	"github.com/heplake/heplake/ingest/listen"
	"github.com/heplake/heplake/internal/config"
)

// maxClockAhead is how far ahead of ours a sender's clock is believed: a
// time zone taken for UTC is, a wrong year is not.
const maxClockAhead = 24 * time.Hour

// inserters is how many batches are sent at once, at most half of them for one
// table: a table that is stuck leaves the others theirs.
const inserters = 4

// pipelineConfig are the settings as the pipeline takes them, for so many workers.
func pipelineConfig(c config.Config, workers int) (ingest.Config, error) {
	streams, err := streamConfigs(c.HEP)
	if err != nil {
		return ingest.Config{}, err
	}
	targets, err := heplifyTargets(c.Metrics.TargetIP, c.Metrics.TargetName)
	return ingest.Config{
		UDP: addr(c.HEP.UDP), TCP: addr(c.HEP.TCP), Streams: streams, IPIP: addr(c.HEP.IPIP), Interface: addr(c.HEP.Interface),
		Workers: workers, UDPBuffer: int(c.HEP.Buffer), MaxConnections: c.HEP.MaxConnections, IdleTimeout: c.HEP.IdleTimeout, Durable: c.HEP.Durable, MaxBody: int64(c.HEP.MaxBody),
		BatchRows: c.Batch.Rows, BatchAge: c.Batch.Age, BatchBytes: int(c.Batch.Bytes), Inserters: inserters,
		StoreRTP: c.HEP.StoreRTP, Tenant: c.Tenant, SIPHeaders: c.SIP.Headers, CorrelationHeaders: c.Correlation.Headers,
		Heplify: c.Metrics.Heplify, HeplifyTargets: targets,
		TimeAhead: maxClockAhead, TimeBehind: timeBehind(c.Retention),
	}, err
}

// heplifyTargets pairs addresses with names.
func heplifyTargets(addrs, names []string) (map[netip.Addr]string, error) {
	if len(addrs) != len(names) {
		return nil, fmt.Errorf("metrics.target_ip has %d addresses, metrics.target_name %d names: they belong together one by one", len(addrs), len(names))
	}
	targets := make(map[netip.Addr]string, len(addrs))
	for i, text := range addrs {
		a, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("metrics.target_ip: %w", err)
		}
		name := strings.TrimSpace(names[i])
		if name == "" || targets[a.Unmap()] != "" {
			return nil, fmt.Errorf("metrics.target_ip: %s has no name of its own in metrics.target_name", a)
		}
		targets[a.Unmap()] = name
	}
	return targets, nil
}

// addr is the address of a setting, empty when it is off.
func addr(setting string) string {
	if !config.On(setting) {
		return ""
	}
	return setting
}

// timeBehind is how old a record may be: older than the shortest retention it
// would be stored only to be deleted.
func timeBehind(r config.Retention) time.Duration {
	const day = 24 * time.Hour
	behind := 100 * 365 * day
	for _, days := range []int{r.SIP, r.Media, r.Events} {
		if days > 0 {
			behind = min(behind, time.Duration(days)*day)
		}
	}
	return behind
}

// streamConfigs are the listeners for connections that are on.
func streamConfigs(h config.HEP) (streams []ingest.StreamConfig, err error) {
	var secure *tls.Config
	for _, s := range []struct {
		transport, addr string
		secured         bool
	}{
		{"tls", h.TLS, true},
		{"http", h.HTTP, false},
		{"https", h.HTTPS, true},
		{"ws", h.WS, false},
		{"wss", h.WSS, true},
		{"sctp", h.SCTP, false},
	} {
		if !config.On(s.addr) {
			continue
		}
		cfg := ingest.StreamConfig{Transport: s.transport, Addr: s.addr}
		if s.secured {
			if secure == nil {
				if secure, err = listen.NewTLS(listen.TLSConfig{Cert: h.Cert, Key: h.Key, ClientCA: h.ClientCA, MinVersion: tlsVersions[h.TLSMin]}); err != nil {
					return nil, fmt.Errorf("hep.%s: %w", s.transport, err)
				}
			}
			cfg.TLS = secure
		}
		streams = append(streams, cfg)
	}
	return streams, nil
}

var tlsVersions = map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}
