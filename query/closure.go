package query

import (
	"context"
	"sort"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/query/filter"
)

// How far from the messages found a call's other messages are looked for.
//
// Rows with a known correlation id are cheap to find, since it leads the tables'
// order: a call of a day is whole. Rows that only share a Call-ID cost more, the
// more the more Call-IDs are looked for; legs meet when the call is set up, so
// these are looked for nearby, and farther away only for legs of which the
// request that opened them is not found yet.
const (
	farMargin  = 24 * time.Hour
	nearMargin = 5 * time.Minute
)

// maxRounds bounds how many links are followed from one leg to the next.
const maxRounds = 8

// window is a span of time [from, to); the zero window is all time.
type window struct{ from, to time.Time }

func (w window) isZero() bool { return w.from.IsZero() && w.to.IsZero() }

// widen moves both ends outwards.
func (w window) widen(d time.Duration) window {
	if w.isZero() {
		return w
	}
	return window{w.from.Add(-d), w.to.Add(d)}
}

// condition is the window as SQL on the column time.
func (w window) condition(p *filter.Params) string {
	if w.isZero() {
		return "1"
	}
	return "time >= fromUnixTimestamp64Micro(" + p.Add("Int64", w.from.UnixMicro()) + ") AND time < fromUnixTimestamp64Micro(" + p.Add("Int64", w.to.UnixMicro()) + ")"
}

// tenantCondition is the restriction to a tenant as SQL.
func tenantCondition(tenant string, p *filter.Params) string {
	if tenant == "" {
		return "1"
	}
	return "tenant = " + p.Add("String", tenant)
}

// node is an id within a tenant. Ids of different tenants have nothing to do
// with each other, equal or not.
type node struct{ tenant, id string }

// link is what ties a Call-ID to a correlation id: messages that have both.
type link struct {
	tenant, correlationID, callID string
	// first and last are the times of these messages.
	first, last time.Time
	messages    uint64
	// opened says that a request outside a dialog is among them.
	opened bool
}

// component is a call: the links that hang together.
type component struct {
	tenant string
	links  []link // by first
}

// key is the id that stands for the call: of the correlation ids the one that is
// not also a Call-ID, else that of the leg that began first.
func (c *component) key() string {
	calls := map[string]bool{}
	for _, l := range c.links {
		calls[l.callID] = true
	}
	key := ""
	for _, l := range c.links {
		if !calls[l.correlationID] && (key == "" || l.correlationID < key) {
			key = l.correlationID
		}
	}
	if key == "" {
		key = c.links[0].callID
	}
	return key
}

// ids lists every Call-ID and correlation id.
func (c *component) ids() []string {
	var out []string
	seen := map[string]bool{"": true}
	for _, l := range c.links {
		for _, id := range []string{l.correlationID, l.callID} {
			if !seen[id] {
				seen[id] = true
				out = append(out, id)
			}
		}
	}
	return out
}

// callIDs lists the legs in order of their first message.
func (c *component) callIDs() []string {
	var out []string
	seen := map[string]bool{}
	for _, l := range c.links {
		if !seen[l.callID] {
			seen[l.callID] = true
			out = append(out, l.callID)
		}
	}
	return out
}

// span is the time from the first to after the last message.
func (c *component) span() window {
	w := window{c.links[0].first, c.links[0].last}
	for _, l := range c.links[1:] {
		if l.first.Before(w.from) {
			w.from = l.first
		}
		if l.last.After(w.to) {
			w.to = l.last
		}
	}
	return window{w.from, w.to.Add(time.Microsecond)}
}

// closureRequest says where a closure begins and how far it goes.
type closureRequest struct {
	ids    []string
	tenant string
	// near is where the ids were seen; zero is everywhere.
	near window
	// maxLinks bounds the answer.
	maxLinks int
}

// closure finds every leg that Call-IDs and correlation ids connect with the
// ids, to any depth up to maxRounds. whole is false when a bound cut it.
func (s *Store) closure(ctx context.Context, c *cost, r closureRequest) (components []*component, whole bool, err error) {
	k := closure{store: s, request: r, links: map[linkKey]link{}, asked: map[string]bool{"": true}, askedFar: map[string]bool{"": true}}
	whole, err = k.run(ctx, c)
	if err != nil {
		return nil, false, err
	}
	all := make([]link, 0, len(k.links))
	for _, l := range k.links {
		all = append(all, l)
	}
	return connect(all, r.ids), whole, nil
}

// linkKey tells links apart.
type linkKey struct{ tenant, correlationID, callID string }

// closure is one closure being computed.
type closure struct {
	store   *Store
	request closureRequest
	links   map[linkKey]link
	// asked are the ids that were looked for, askedFar the Call-IDs that were
	// looked for far away.
	asked, askedFar map[string]bool
}

func (k *closure) run(ctx context.Context, c *cost) (whole bool, err error) {
	r := k.request
	pending, far := r.ids, false
	for range maxRounds {
		if len(k.links) >= r.maxLinks {
			return false, nil
		}
		ids, byCorrelation := unasked(pending, k.asked), true
		if len(ids) == 0 && !r.near.isZero() {
			ids, byCorrelation, far = unasked(k.unopened(), k.askedFar), false, true
		}
		if len(ids) == 0 {
			return true, nil
		}
		callIDs := r.near.widen(nearMargin)
		if far { // what is found far away meets others there
			callIDs = r.near.widen(farMargin)
		}
		found, err := k.store.findLinks(ctx, c, r, ids, byCorrelation, callIDs)
		if err != nil {
			return false, err
		}
		if len(found) > r.maxLinks {
			return false, nil
		}
		pending = k.add(found)
	}
	return len(unasked(pending, k.asked)) == 0, nil
}

// unasked lists the ids not asked for yet, and marks them as asked for.
func unasked(ids []string, asked map[string]bool) []string {
	var out []string
	for _, id := range ids {
		if !asked[id] {
			asked[id] = true
			out = append(out, id)
		}
	}
	return out
}

// unopened lists the Call-IDs of which no opening request is known.
func (k *closure) unopened() []string {
	opened := map[node]bool{}
	for _, l := range k.links {
		if l.opened {
			opened[node{l.tenant, l.callID}] = true
		}
	}
	var out []string
	for _, l := range k.links {
		if !opened[node{l.tenant, l.callID}] {
			out = append(out, l.callID)
		}
	}
	return out
}

// add adds links, and returns the ids in them. A link may be found several
// times, by either end; the search that saw most of it counts.
func (k *closure) add(found []link) []string {
	var ids []string
	for _, l := range found {
		key := linkKey{l.tenant, l.correlationID, l.callID}
		if old, ok := k.links[key]; !ok || old.messages < l.messages {
			k.links[key] = l
		}
		ids = append(ids, l.correlationID, l.callID)
	}
	return ids
}

// findLinks finds the links of messages that have one of the ids as Call-ID, in
// the window callIDs, or as correlation id.
func (s *Store) findLinks(ctx context.Context, c *cost, r closureRequest, ids []string, byCorrelation bool, callIDs window) ([]link, error) {
	var p filter.Params
	list := p.Add("Array(String)", ids)
	rows := "SELECT tenant, correlation_id, call_id, time, method NOT IN ('', 'ACK', 'BYE', 'CANCEL', 'PRACK') AND to_tag = '' AS opens FROM " + s.table("sip") +
		" WHERE " + tenantCondition(r.tenant, &p) + " AND "
	sources := rows + callIDs.condition(&p) + " AND call_id IN " + list
	if byCorrelation {
		sources += " AND correlation_id NOT IN " + list + "\nUNION ALL\n" +
			rows + r.near.widen(farMargin).condition(&p) + " AND correlation_id IN " + list
	}
	sql := "SELECT tenant, correlation_id, call_id, min(time), max(time), count(), toBool(max(opens))\nFROM\n(" + sources +
		")\nGROUP BY tenant, correlation_id, call_id ORDER BY min(time) LIMIT " + p.Add("UInt64", uint64(r.maxLinks+1))
	var out []link
	err := s.query(ctx, c, sql, p.Args(), func(rows driver.Rows) error {
		var l link
		if err := rows.Scan(&l.tenant, &l.correlationID, &l.callID, &l.first, &l.last, &l.messages, &l.opened); err != nil {
			return err
		}
		out = append(out, l)
		return nil
	})
	return out, err
}

// connect sorts links into components, and returns those that contain one of
// the ids, in order of their first message. An empty id connects nothing.
func connect(links []link, ids []string) []*component {
	sort.Slice(links, func(i, j int) bool {
		a, b := links[i], links[j]
		switch {
		case !a.first.Equal(b.first):
			return a.first.Before(b.first)
		case a.callID != b.callID:
			return a.callID < b.callID
		}
		return a.correlationID < b.correlationID
	})
	parent := map[node]node{}
	var find func(node) node
	find = func(n node) node {
		p, ok := parent[n]
		if !ok || p == n {
			parent[n] = n
			return n
		}
		root := find(p)
		parent[n] = root
		return root
	}
	for _, l := range links {
		if l.correlationID != "" && l.callID != "" {
			parent[find(node{l.tenant, l.correlationID})] = find(node{l.tenant, l.callID})
		}
	}
	wanted := map[node]bool{}
	byRoot := map[node]*component{}
	var order []node
	asked := map[string]bool{}
	for _, id := range ids {
		asked[id] = true
	}
	for _, l := range links {
		id := l.callID
		if id == "" {
			id = l.correlationID
		}
		root := find(node{l.tenant, id})
		c := byRoot[root]
		if c == nil {
			c = &component{tenant: l.tenant}
			byRoot[root] = c
			order = append(order, root)
		}
		c.links = append(c.links, l)
		if asked[l.callID] || asked[l.correlationID] {
			wanted[root] = true
		}
	}
	var out []*component
	for _, root := range order {
		if wanted[root] {
			out = append(out, byRoot[root])
		}
	}
	return out
}
