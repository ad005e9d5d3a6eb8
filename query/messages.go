package query

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/query/filter"
)

// The bounds of MessagesRequest.Limit.
const (
	DefaultMessages = 200
	MaxMessages     = 10_000
)

// MessagesRequest asks for single SIP messages.
type MessagesRequest struct {
	// Filter is an expression of package filter about messages; empty for every one.
	Filter string `json:"filter"`
	// From and To bound the messages' times: [From, To). A zero To is now, a zero
	// From is a day before To.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Zone is where times in Filter are that name no zone; nil is UTC.
	Zone *time.Location `json:"-"`
	// IDs leaves only messages with one of these Message.ID; nil is any.
	IDs []uint64 `json:"ids"`
	// Limit is how many messages to return: DefaultMessages when 0, MaxMessages at
	// most.
	Limit int `json:"limit"`
	// Oldest returns the oldest messages of the window, oldest first, instead of
	// the newest, newest first.
	Oldest bool `json:"oldest"`
	// Unique leaves out what is on the list already: retransmissions, and
	// what several agents saw, as far as they lie within 64*T1 of each other, after
	// which SIP sends nothing again (RFC 3261 section 17).
	Unique bool `json:"unique"`
	// Raw adds the messages themselves; without it Message.Raw is empty.
	Raw bool `json:"raw"`
	// Cursor is MessagesResult.Next of the page before, empty for the first. The
	// window is then the first page's; all else must be as it was there, but for
	// Limit and Raw.
	Cursor string `json:"cursor"`
	// Tenant restricts the search to one tenant's traffic; empty is all.
	Tenant string `json:"tenant"`
}

// MessagesResult has the messages found.
type MessagesResult struct {
	Messages []Message `json:"messages"`
	// Next is where the list goes on: the Cursor of the next page. "" at its end.
	Next string `json:"next"`
	// Truncated says why the list goes on, "" when it is whole: the limit was
	// reached, or the time was up before the whole window was looked at. In the
	// latter case a page may have fewer messages than the limit, or none.
	Truncated string `json:"truncated"`
	// ScannedRows and ScannedBytes are what the server read for the answer.
	ScannedRows  uint64 `json:"scanned_rows"`
	ScannedBytes uint64 `json:"scanned_bytes"`
}

// Message is one SIP message. Its fields are columns of table sip, which
// docs/tables.md explains.
type Message struct {
	// ID is a number for the message: the same whenever it is found, below 2^53 so
	// that JavaScript has it exactly. Messages that agree in everything that tells
	// messages apart have the same.
	ID            uint64     `json:"id"`
	Time          time.Time  `json:"time"`
	Tenant        string     `json:"tenant"`
	Node          string     `json:"node"`
	CaptureID     uint32     `json:"capture_id"`
	CorrelationID string     `json:"correlation_id"`
	CallID        string     `json:"call_id"`
	SrcIP         netip.Addr `json:"src_ip"`
	SrcPort       uint16     `json:"src_port"`
	DstIP         netip.Addr `json:"dst_ip"`
	DstPort       uint16     `json:"dst_port"`
	Transport     string     `json:"transport"`
	Method        string     `json:"method"`
	Status        uint16     `json:"status"`
	Reason        string     `json:"reason"`
	CSeq          uint32     `json:"cseq"`
	CSeqMethod    string     `json:"cseq_method"`
	FromUser      string     `json:"from_user"`
	FromDomain    string     `json:"from_domain"`
	FromTag       string     `json:"from_tag"`
	ToUser        string     `json:"to_user"`
	ToDomain      string     `json:"to_domain"`
	ToTag         string     `json:"to_tag"`
	RURIUser      string     `json:"ruri_user"`
	RURIDomain    string     `json:"ruri_domain"`
	UserAgent     string     `json:"user_agent"`
	Server        string     `json:"server"`
	ContactUser   string     `json:"contact_user"`
	ContactHost   string     `json:"contact_host"`
	ContactPort   uint16     `json:"contact_port"`
	PAIUser       string     `json:"pai_user"`
	AuthUser      string     `json:"auth_user"`
	Diversion     string     `json:"diversion"`
	ViaBranch     string     `json:"via_branch"`
	ViaHost       string     `json:"via_host"`
	ViaPort       uint16     `json:"via_port"`
	ContentType   string     `json:"content_type"`
	Q850          uint16     `json:"q850"`
	ReasonHeader  string     `json:"reason_header"`
	SDP           string     `json:"sdp"`
	ParseError    string     `json:"parse_error"`
	// Raw is the message as it was on the wire, with invalid UTF-8 replaced in
	// JSON; RawBytes is exact. Both are empty unless asked for.
	Raw      string `json:"raw"`
	RawBytes []byte `json:"-"`
}

// messageColumns are the columns of Message between ID and Raw, in order.
var messageColumns = []string{
	"time", "tenant", "node", "capture_id", "correlation_id", "call_id", "src_ip", "src_port", "dst_ip", "dst_port", "transport",
	"method", "status", "reason", "cseq", "cseq_method", "from_user", "from_domain", "from_tag", "to_user", "to_domain", "to_tag",
	"ruri_user", "ruri_domain", "user_agent", "server", "contact_user", "contact_host", "contact_port", "pai_user", "auth_user",
	"diversion", "via_branch", "via_host", "via_port", "content_type", "q850", "reason_header", "sdp", "parse_error",
}

func scanMessage(rows driver.Rows) (Message, error) {
	var m Message
	var raw string
	err := rows.Scan(&m.ID, &m.Time, &m.Tenant, &m.Node, &m.CaptureID, &m.CorrelationID, &m.CallID, &m.SrcIP, &m.SrcPort, &m.DstIP, &m.DstPort, &m.Transport,
		&m.Method, &m.Status, &m.Reason, &m.CSeq, &m.CSeqMethod, &m.FromUser, &m.FromDomain, &m.FromTag, &m.ToUser, &m.ToDomain, &m.ToTag,
		&m.RURIUser, &m.RURIDomain, &m.UserAgent, &m.Server, &m.ContactUser, &m.ContactHost, &m.ContactPort, &m.PAIUser, &m.AuthUser,
		&m.Diversion, &m.ViaBranch, &m.ViaHost, &m.ViaPort, &m.ContentType, &m.Q850, &m.ReasonHeader, &m.SDP, &m.ParseError, &raw)
	m.Time, m.SrcIP, m.DstIP = m.Time.UTC(), unmap(m.SrcIP), unmap(m.DstIP)
	if raw != "" {
		m.RawBytes, m.Raw = []byte(raw), strings.ToValidUTF8(raw, "\uFFFD")
	}
	return m, err
}

// messageID is Message.ID in SQL: 53 bits of a hash of what tells messages apart.
const messageID = "bitShiftRight(cityHash64(time, tenant, node, capture_id, call_id, src_ip, src_port, dst_ip, dst_port, method, status, cseq, cseq_method, via_branch, from_tag, to_tag), 11)"

// messageIdentity is what retransmissions and copies of a message share; see
// identity, which says the same of a flow's messages.
const messageIdentity = "(call_id, method, status, cseq, cseq_method, from_tag, to_tag, sdp, src_ip, src_port, dst_ip, dst_port, via_branch)"

// repeatSpan is how long after a message its retransmissions and copies may
// come: 64*T1, and what clocks of agents may differ.
const repeatSpan = 33 * time.Second

// Messages returns the SIP messages that match, newest first unless asked
// otherwise, page by page.
//
// The error is a *filter.Error, or wraps ErrTooExpensive, ErrUnavailable or
// ErrInvalid. ErrTooExpensive means that nothing at all was found within the
// limits; else what was found is returned, with Truncated.
func (s *Store) Messages(ctx context.Context, r MessagesRequest) (MessagesResult, error) {
	search, err := s.newMessageSearch(r)
	if err != nil {
		return MessagesResult{}, err
	}
	if err := search.run(ctx); err != nil {
		return MessagesResult{}, fmt.Errorf("search messages: %w", err)
	}
	return search.result(), nil
}

// messageSearch is one page of a search for messages.
type messageSearch struct {
	store   *Store
	request MessagesRequest
	plan    filter.RowPlan
	params  filter.Params
	window  window
	// left is the part of the window not yet looked at.
	left window
	// places are where the ids are that the filter demands; nil when it demands none,
	// or of too many.
	places *places
	// after is the last row of the page before; nil on the first page.
	after *cursor
	found []Message
	until time.Time
	// cut says that a limit other than that of rows stopped the search.
	cut  bool
	cost cost
}

func (s *Store) newMessageSearch(r MessagesRequest) (*messageSearch, error) {
	if r.Limit < 0 || r.Limit > MaxMessages {
		return nil, fmt.Errorf("%w: limit %d is not between 0 and %d", ErrInvalid, r.Limit, MaxMessages)
	}
	if r.Limit == 0 {
		r.Limit = DefaultMessages
	}
	m := &messageSearch{store: s, request: r, until: time.Now().Add(s.maxTime)}
	m.params.Zone = r.Zone
	var err error
	if m.plan, err = filter.Messages.CompileRows(r.Filter, &m.params); err != nil {
		return nil, err
	}
	if r.Cursor == "" {
		m.window, err = windowOf(r.From, r.To, 24*time.Hour)
		m.left = m.window
		return m, err
	}
	c, err := decodeCursor(r.Cursor, m.identity()...)
	if err != nil {
		return nil, err
	}
	m.after, m.window, m.left = &c, c.window, c.window
	if r.Oldest {
		m.left.from = c.at
	} else if end := c.at.Add(time.Microsecond); end.Before(m.left.to) {
		m.left.to = end
	}
	return m, nil
}

// identity is what makes a search the same on every page.
func (m *messageSearch) identity() []string {
	r := m.request
	zone := ""
	if r.Zone != nil {
		zone = r.Zone.String()
	}
	return []string{"messages", r.Filter, r.Tenant, zone, strconv.FormatBool(r.Oldest), strconv.FormatBool(r.Unique), fmt.Sprint(r.IDs)}
}

func (m *messageSearch) run(ctx context.Context) error {
	width, growth := firstWidth(m.plan.Indexed)
	if m.plan.IDs != nil && len(m.plan.IDs) <= maxLookups {
		pl, err := m.store.lookUp(ctx, &m.cost, m.plan.IDs, m.request.Tenant, windows{m.window}, maxPlaces)
		if err != nil {
			return err
		}
		if pl.whole {
			m.places = &pl
			width = m.left.to.Sub(m.left.from) // they are where they are
		}
	}
	for first := true; m.left.from.Before(m.left.to) && len(m.found) <= m.request.Limit; first = false {
		if !first && !time.Now().Before(m.until) {
			m.cut = true
			return nil
		}
		slice := m.next(width)
		if err := m.look(ctx, slice); err != nil {
			if errors.Is(err, ErrTooExpensive) && !first && ctx.Err() == nil {
				m.cut = true
				return nil
			}
			return err
		}
		width *= growth
		if m.request.Oldest {
			m.left.from = slice.to
		} else {
			m.left.to = slice.from
		}
	}
	return nil
}

// next is the part of what is left that is looked at next.
func (m *messageSearch) next(width time.Duration) window {
	if left := m.left.to.Sub(m.left.from); width > left || width <= 0 {
		return m.left
	}
	if m.request.Oldest {
		return window{m.left.from, m.left.from.Add(width)}
	}
	return window{m.left.to.Add(-width), m.left.to}
}

// look finds the messages of a slice, as many as are still wanted and one more,
// by which one knows that there are more.
func (m *messageSearch) look(ctx context.Context, slice window) error {
	p := m.params.Clone()
	order := " ORDER BY time DESC, id DESC"
	if m.request.Oldest {
		order = " ORDER BY time, id"
	}
	limit := " LIMIT " + p.Add("UInt64", uint64(m.request.Limit+1-len(m.found)))
	beyond := m.beyond(p)
	if m.after != nil && beyond != "1" {
		limit += " OFFSET " + p.Add("UInt64", uint64(m.skip(slice)))
	}
	raw := "''"
	if m.request.Raw {
		raw = "raw"
	}
	where := func(w window) string {
		var cond string
		if m.places != nil {
			cond = m.places.rows(windows{w}, p) // within the window
		} else {
			cond = w.condition(p)
		}
		cond += " AND " + tenantCondition(m.request.Tenant, p) + " AND " + m.plan.Where
		if m.request.IDs != nil {
			cond += " AND " + messageID + " IN " + p.Add("Array(UInt64)", m.request.IDs)
		}
		return cond
	}
	table := m.store.table("sip")
	sql := "SELECT " + messageID + " AS id, " + strings.Join(messageColumns, ", ") + ", " + raw + "\nFROM " + table + "\nWHERE " + where(slice)
	if m.request.Unique {
		sql += " AND (time, id) IN\n(\n    SELECT time, id FROM\n    (\n        SELECT time, " + messageID + " AS id FROM " + table +
			"\n        WHERE " + where(m.withRepeats(slice)) + order + " LIMIT 1 BY " + messageIdentity +
			"\n    )\n    WHERE " + slice.condition(p) + " AND " + beyond + order + limit + "\n)" + order + " LIMIT 1 BY " + messageIdentity
	} else {
		sql += " AND " + beyond + order + limit
	}
	if m.places != nil {
		ctx = m.store.light(ctx)
	}
	return m.store.query(ctx, &m.cost, sql, p.Args(), func(rows driver.Rows) error {
		message, err := scanMessage(rows)
		if err == nil {
			m.found = append(m.found, message)
		}
		return err
	})
}

// beyond is the condition that a row lies at or behind the last one of the page
// before.
func (m *messageSearch) beyond(p *filter.Params) string {
	if m.after == nil {
		return "1"
	}
	operator := " <= "
	if m.request.Oldest {
		operator = " >= "
	}
	return "(time, id)" + operator + "(fromUnixTimestamp64Micro(" + p.Add("Int64", m.after.at.UnixMicro()) + "), " + p.Add("UInt64", m.after.id) + ")"
}

// skip is how many rows of the slice the page before had: those with the very
// key of its last.
func (m *messageSearch) skip(slice window) uint32 {
	if m.after.at.Before(slice.from) || !m.after.at.Before(slice.to) {
		return 0
	}
	return m.after.skip
}

// withRepeats is the slice and, of what lies before it on the list, as much as
// may hold a message that comes again in it.
func (m *messageSearch) withRepeats(slice window) window {
	w := window{slice.from, slice.to.Add(repeatSpan)}
	if m.request.Oldest {
		w = window{slice.from.Add(-repeatSpan), slice.to}
	}
	if w.from.Before(m.window.from) {
		w.from = m.window.from
	}
	if w.to.After(m.window.to) {
		w.to = m.window.to
	}
	return w
}

func (m *messageSearch) result() MessagesResult {
	r := MessagesResult{Messages: m.found, ScannedRows: m.cost.rows.Load(), ScannedBytes: m.cost.bytes.Load()}
	if r.Messages == nil {
		r.Messages = []Message{}
	}
	c := cursor{window: m.window}
	switch {
	case len(r.Messages) > m.request.Limit:
		r.Messages = r.Messages[:m.request.Limit]
		r.Truncated = fmt.Sprintf("limit: there are more than these %d messages", m.request.Limit)
		last := r.Messages[len(r.Messages)-1]
		c.at, c.id = last.Time, last.ID
		for _, o := range slices.Backward(r.Messages) {
			if o.ID != c.id || !o.Time.Equal(c.at) {
				break
			}
			c.skip++
		}
		if m.after != nil && c.at.Equal(m.after.at) && c.id == m.after.id {
			c.skip += m.after.skip
		}
	case m.cut && m.request.Oldest:
		r.Truncated = "time: looked at what is older than " + m.left.from.Format(time.RFC3339Nano) + " only"
		c.at = m.left.from
	case m.cut:
		r.Truncated = "time: looked at what is not older than " + m.left.to.Format(time.RFC3339Nano) + " only"
		c.at, c.id = m.left.to.Add(-time.Microsecond), 1<<63
	default:
		return r
	}
	r.Next = c.encode(m.identity()...)
	return r
}
