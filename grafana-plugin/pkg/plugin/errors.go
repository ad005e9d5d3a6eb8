package plugin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/filter"
)

// category says in one word what went wrong, for the health check, for the
// status of a response, and for whoever reads the message.
type category string

const (
	categoryNone         category = ""
	categorySettings     category = "settings"
	categoryConnect      category = "connect"
	categoryTLS          category = "tls"
	categoryAuth         category = "authentication"
	categoryAccess       category = "access"
	categorySchema       category = "schema"
	categoryExpensive    category = "too expensive"
	categoryCancelled    category = "cancelled"
	categoryQuery        category = "query"
	categoryOurs         category = "plugin"
	categoryUnclassified category = "clickhouse"
)

// badQuery is a fault in the query as the user wrote it.
type badQuery struct{ err error }

func (e *badQuery) Error() string { return e.err.Error() }
func (e *badQuery) Unwrap() error { return e.err }

func badQueryf(format string, args ...any) error {
	return &badQuery{fmt.Errorf(format, args...)}
}

// Codes of ClickHouse's errors, as in its ErrorCodes.cpp.
var (
	codesSchema = []int32{16, 47, 60, 81}     // NO_SUCH_COLUMN_IN_TABLE, UNKNOWN_IDENTIFIER, UNKNOWN_TABLE, UNKNOWN_DATABASE
	codesAuth   = []int32{192, 193, 194, 516} // UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, AUTHENTICATION_FAILED
	codesAccess = []int32{164, 291, 497}      // READONLY, DATABASE_ACCESS_DENIED, ACCESS_DENIED
	codesFilter = []int32{427}                // CANNOT_COMPILE_REGEXP: a value of the filter
	// In SQL that this project wrote: SYNTAX_ERROR, UNKNOWN_FUNCTION,
	// ILLEGAL_TYPE_OF_ARGUMENT, TYPE_MISMATCH, NO_COMMON_TYPE.
	codesOurs = []int32{62, 46, 43, 53, 386}
)

// classify tells what kind of error it is. free says that the SQL was the
// user's own, so that a fault in it is theirs.
func classify(err error, free bool) category {
	var (
		exception *clickhouse.Exception
		httpError *clickhouse.HTTPError
		filterErr *filter.Error
		bad       *badQuery
		settings  *settingsError
		schema    *schemaError
		connect   *connectError
		unknownCA x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		network   net.Error
	)
	switch {
	case err == nil:
		return categoryNone
	case errors.As(err, &settings):
		return categorySettings
	case errors.As(err, &schema):
		return categorySchema
	case errors.As(err, &filterErr), errors.As(err, &bad), errors.Is(err, query.ErrInvalid):
		return categoryQuery
	case errors.Is(err, query.ErrTooExpensive):
		return categoryExpensive
	case errors.As(err, &exception):
		return classifyException(exception.Code, free)
	case errors.Is(err, context.Canceled) && !errors.As(err, &connect):
		return categoryCancelled
	case errors.As(err, &unknownCA), errors.As(err, &hostname), errors.As(err, &invalid), errors.As(err, &verify), errors.As(err, &record),
		errors.Is(err, http.ErrSchemeMismatch):
		return categoryTLS
	case errors.As(err, &httpError) && (httpError.StatusCode == http.StatusUnauthorized || httpError.StatusCode == http.StatusForbidden):
		return categoryAuth // of a proxy in between
	case errors.As(err, &httpError), errors.As(err, &network), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, errClosed), errors.Is(err, query.ErrUnavailable), errors.As(err, &connect):
		return categoryConnect
	}
	return categoryOurs
}

func classifyException(code int32, free bool) category {
	switch {
	case slices.Contains(codesAuth, code):
		return categoryAuth
	case slices.Contains(codesAccess, code):
		return categoryAccess
	case free, slices.Contains(codesFilter, code):
		return categoryQuery
	case slices.Contains(codesSchema, code):
		return categorySchema
	case slices.Contains(codesOurs, code):
		return categoryOurs
	}
	return categoryUnclassified
}

// status is the HTTP status that says the same.
func (c category) status() backend.Status {
	switch c {
	case categoryQuery, categorySettings:
		return backend.StatusBadRequest
	case categoryAuth:
		return backend.StatusUnauthorized
	case categoryAccess:
		return backend.StatusForbidden
	case categoryExpensive:
		return backend.StatusTimeout
	case categoryOurs:
		return backend.StatusInternal
	default:
		return backend.StatusBadGateway
	}
}

// source says whose fault it is in Grafana's terms: only faults of this code
// are the plugin's.
func (c category) source() backend.ErrorSource {
	if c == categoryOurs {
		return backend.ErrorSourcePlugin
	}
	return backend.ErrorSourceDownstream
}

// hint says what may help, "" when the message says enough.
func (c category) hint() string {
	switch c {
	case categorySettings:
		return "set the URL of ClickHouse on the data source's page"
	case categoryConnect:
		return "the Grafana server, not your browser, must reach ClickHouse: check host, port and firewall; the HTTP port is 8123 (http://), the native one 9000 (clickhouse://)"
	case categoryTLS:
		return "use the scheme and port that ClickHouse serves TLS on, and a certificate that the Grafana server trusts"
	case categoryAuth:
		return "check user and password, or the token"
	case categoryAccess:
		return "the ClickHouse user needs GRANT SHOW, SELECT on the database"
	case categorySchema:
		return "run heplake migrate against this ClickHouse, or correct the database's name"
	case categoryExpensive:
		return "narrow the time range or the filter"
	default:
		return ""
	}
}

// message is the error in one line, without the driver's own wrappings and
// without secrets.
func (d *Datasource) message(err error) string {
	var (
		text      = err.Error()
		exception *clickhouse.Exception
		dial      *net.OpError
	)
	switch {
	case errors.As(err, &exception):
		text = fmt.Sprintf("ClickHouse: %s (code %d)", strings.TrimPrefix(exception.Message, "DB::Exception: "), exception.Code)
	case errors.Is(err, clickhouse.ErrAcquireConnTimeout):
		text = fmt.Sprintf("no answer from %s within %s, or all %d connections to it are busy", d.settings.host(), dialTimeout, maxOpenConnections)
	case errors.As(err, &dial):
		text = dial.Error()
	}
	return redact(text, d.settings.secrets())
}

// redact removes secrets from a text.
func redact(text string, secrets []string) string {
	for _, s := range secrets {
		// A secret shorter than this cannot be told from other text.
		if len(s) >= 4 {
			text = strings.ReplaceAll(text, s, "xxxxx")
		}
	}
	return text
}

// failed is the response for an error.
func (d *Datasource) failed(err error, free bool) backend.DataResponse {
	c := classify(err, free)
	text := d.message(err)
	if h := c.hint(); h != "" && c != categoryAccess {
		text += " (" + h + ")"
	}
	return backend.DataResponse{Error: errors.New(text), Status: c.status(), ErrorSource: c.source()}
}
