package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/heplake/heplake/internal/version"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/schema"
)

// settings are what the data source's page in Grafana asks for.
type settings struct {
	// URL is ClickHouse's address: http, https, clickhouse or tcp.
	URL string `json:"url"`
	// Database holds heplake's tables; the URL's, else schema.Database, when empty.
	Database      string `json:"database"`
	User          string `json:"user"`
	TLSSkipVerify bool   `json:"tlsSkipVerify"`
	// Aliases name addresses, each as address=name: those of one name are one
	// column of a ladder. They are heplake.yaml's "aliases".
	Aliases []string `json:"aliases"`
	aliases []query.Alias
	// API is the address of heplake's own API, of which its aliases are read; ""
	// for none. Nothing else is asked of it.
	API string `json:"api"`

	// Password and Token come out of Grafana's encrypted store. Token is sent as
	// a bearer token in place of user and password.
	Password string `json:"-"`
	Token    string `json:"-"`
}

// The pool's size: a dashboard asks some ten questions at once.
const (
	maxOpenConnections = 20
	maxIdleConnections = 5
	dialTimeout        = 5 * time.Second
)

// readSettings takes the settings apart and checks them.
func readSettings(in backend.DataSourceInstanceSettings) (settings, error) {
	s := settings{
		Password: in.DecryptedSecureJSONData["password"],
		Token:    in.DecryptedSecureJSONData["token"],
	}
	if len(in.JSONData) > 0 {
		if err := json.Unmarshal(in.JSONData, &s); err != nil {
			return s, fmt.Errorf("settings: %w", err)
		}
	}
	s.URL, s.Database, s.User = strings.TrimSpace(s.URL), strings.TrimSpace(s.Database), strings.TrimSpace(s.User)
	if _, err := s.address(); err != nil {
		return s, err
	}
	s.API = strings.TrimSpace(s.API)
	if err := checkAPI(s.API); err != nil {
		return s, err
	}
	var err error
	s.aliases, err = query.ParseAliases(s.Aliases)
	return s, err
}

// address is the URL with everything that belongs to it. Errors never quote the
// URL, which may hold a password.
func (s settings) address() (*url.URL, error) {
	if s.URL == "" {
		return nil, errors.New("no ClickHouse URL is set")
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, errors.New("the ClickHouse URL cannot be read: want something like http://clickhouse:8123")
	}
	q := u.Query()
	switch u.Scheme {
	case "http", "clickhouse", "tcp":
	case "https":
		// clickhouse-go wants to be told twice.
		q.Set("secure", "true")
	default:
		return nil, fmt.Errorf("the ClickHouse URL begins with %q: want http, https, clickhouse or tcp", u.Scheme)
	}
	if u.Host == "" {
		return nil, errors.New("the ClickHouse URL names no host")
	}
	if s.TLSSkipVerify && q.Get("secure") != "" {
		q.Set("skip_verify", "true")
	}
	u.RawQuery = q.Encode()
	switch {
	case s.Token != "":
		u.User = nil
	case s.User != "":
		u.User = url.UserPassword(s.User, s.Password)
	case s.Password != "":
		name := u.User.Username()
		if name == "" {
			name = "default"
		}
		u.User = url.UserPassword(name, s.Password)
	}
	return u, nil
}

// database is the name of the database that holds the tables.
func (s settings) database() string {
	if s.Database != "" {
		return s.Database
	}
	if u, err := url.Parse(s.URL); err == nil {
		if name := strings.Trim(u.Path, "/"); name != "" && name != "default" {
			return name
		}
	}
	return schema.Database
}

// host is whom the URL names.
func (s settings) host() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return "ClickHouse"
	}
	return u.Host
}

// options are the settings as package query takes them.
func (s settings) options() (query.Options, error) {
	u, err := s.address()
	if err != nil {
		return query.Options{}, err
	}
	return query.Options{
		URL:      u.String(),
		Database: s.database(),
		Configure: func(o *clickhouse.Options) {
			// SQL of the user's own names its tables without the database.
			o.Auth.Database = s.database()
			o.DialTimeout = dialTimeout
			o.MaxOpenConns, o.MaxIdleConns = maxOpenConnections, maxIdleConnections
			o.ClientInfo.Products = append(o.ClientInfo.Products, struct{ Name, Version string }{"heplake-grafana", version.Version})
			s.signInWithToken(o)
		},
	}, nil
}

func (s settings) signInWithToken(o *clickhouse.Options) {
	switch {
	case s.Token == "":
	case o.Protocol == clickhouse.HTTP:
		// Not GetJWT, which the driver heeds over TLS alone: a proxy on the same
		// host may take the token without.
		if o.HttpHeaders == nil {
			o.HttpHeaders = map[string]string{}
		}
		o.HttpHeaders["Authorization"] = "Bearer " + s.Token
	default:
		token := s.Token
		o.GetJWT = func(context.Context) (string, error) { return token, nil }
	}
}

// secrets are the strings that must never be seen outside.
func (s settings) secrets() []string {
	out := []string{s.Password, s.Token}
	for _, address := range []string{s.URL, s.API} {
		if u, err := url.Parse(address); err == nil {
			if p, ok := u.User.Password(); ok {
				out = append(out, p)
			}
		}
	}
	return out
}
