package query

import (
	"context"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"github.com/heplake/heplake/query/filter"
)

// How far from the messages found a call's other messages are looked for: first
// nearby, and then farther away for calls that are not whole by then. Most calls
// are short; looking a day around each would read days for every search.
const (
	nearBefore = 5 * time.Minute
	nearAfter  = 10 * time.Minute
	farMargin  = 24 * time.Hour
	// edgeMargin is how near to the end of what was looked at a call's messages make one
	// suspect that more of them lie beyond: twice 64*T1, after which SIP gives up
	// on a transaction (RFC 3261 section 17).
	edgeMargin = 64 * time.Second
)

// maxRounds bounds how many links are followed from one leg to the next.
const maxRounds = 8

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
	signs       signs
}

// signs are what the messages of a link show of their dialog.
type signs uint8

// The signs; findLinks computes them.
const (
	opens        signs = 1 << iota // a request outside a dialog
	opensInvite                    // … of method INVITE
	inviteAnswer                   // a 2xx to INVITE
	inviteRefuse                   // another final response to INVITE
	hangsUp                        // a BYE
)

const signsSQL = `groupBitOr(toUInt8(
    (method NOT IN ('', 'ACK', 'BYE', 'CANCEL', 'PRACK') AND to_tag = '') + 2 * (method = 'INVITE' AND to_tag = '')
    + 4 * (status BETWEEN 200 AND 299 AND cseq_method = 'INVITE') + 8 * (status >= 300 AND cseq_method = 'INVITE') + 16 * (method = 'BYE')))`

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

// signs are those of all its links.
func (c *component) signs() signs {
	var all signs
	for _, l := range c.links {
		all |= l.signs
	}
	return all
}

// whole reports whether the call looks complete, being looked for in windows: each
// leg was opened, an INVITE came to an end, and nothing happens at the edges.
func (c *component) whole(looked windows) bool {
	var all signs
	legs := map[string]signs{}
	for _, l := range c.links {
		all |= l.signs
		legs[l.callID] |= l.signs
	}
	for _, s := range legs {
		if s&opens == 0 {
			return false
		}
	}
	ended := all&opensInvite == 0 || all&hangsUp != 0 || all&(inviteAnswer|inviteRefuse) == inviteRefuse
	span := c.span()
	return ended && looked.hold(window{span.from.Add(-edgeMargin), span.to.Add(edgeMargin)})
}

// closureRequest says where a closure begins and how far it goes.
type closureRequest struct {
	ids    []string
	tenant string
	// near is where the ids were seen, with a margin; nil is everywhere.
	near windows
	// maxLinks bounds the answer.
	maxLinks int
}

// closure finds every leg that Call-IDs and correlation ids connect with the
// ids, to any depth up to maxRounds. whole is false when a bound cut it.
func (s *Store) closure(ctx context.Context, c *cost, r closureRequest) (components []*component, whole bool, err error) {
	k := closure{store: s, request: r, links: map[linkKey]link{}}
	ids := r.ids
	if len(ids) > maxLookups {
		if k.known, err = s.known(ctx, c, r, ids, r.near); err != nil {
			return nil, false, err
		}
		k.rowsAsked, ids = true, append(slices.Clone(ids), k.knownIDs()...)
	}
	whole, err = k.follow(ctx, c, ids, r.near)
	if err != nil {
		return nil, false, err
	}
	components = connect(k.all(), r.ids, k.known)
	if r.near == nil || !whole {
		return components, whole, nil
	}
	var far []string
	var around []window
	for _, component := range components {
		if !component.whole(r.near) {
			far = append(far, component.ids()...)
			span := component.span()
			around = append(around, window{span.from.Add(-farMargin), span.to.Add(farMargin)})
		}
	}
	if len(far) == 0 {
		return components, true, nil
	}
	if whole, err = k.follow(ctx, c, far, merge(around)); err != nil {
		return nil, false, err
	}
	return connect(k.all(), r.ids, k.known), whole, nil
}

// linkKey tells links apart.
type linkKey struct{ tenant, correlationID, callID string }

// closure is one closure being computed.
type closure struct {
	store   *Store
	request closureRequest
	links   map[linkKey]link
	// known are calls that have one of the ids, as their rows say; rowsAsked says
	// that these were asked.
	known     [][]node
	rowsAsked bool
}

// knownIDs are the ids of known.
func (k *closure) knownIDs() []string {
	var ids []string
	for _, group := range k.known {
		for _, n := range group {
			ids = append(ids, n.id)
		}
	}
	return ids
}

func (k *closure) all() []link {
	out := make([]link, 0, len(k.links))
	for _, l := range k.links {
		out = append(out, l)
	}
	return out
}

// follow adds every link that can be reached from the ids within the windows.
func (k *closure) follow(ctx context.Context, c *cost, ids []string, looked windows) (whole bool, err error) {
	asked := map[string]bool{"": true}
	for range maxRounds {
		ids = unasked(ids, asked)
		if len(ids) == 0 {
			return true, nil
		}
		complete := true
		if len(ids) > maxLookups {
			ids, err = k.findByTime(ctx, c, ids, looked)
		} else {
			ids, complete, err = k.findByID(ctx, c, ids, looked, asked)
		}
		if err != nil {
			return false, err
		}
		if !complete || len(k.links) > k.request.maxLinks {
			return false, nil
		}
	}
	return len(unasked(ids, asked)) == 0, nil
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

// findByTime adds the links of messages that have one of the ids as Call-ID or as
// correlation id, within the windows.
func (k *closure) findByTime(ctx context.Context, c *cost, ids []string, looked windows) ([]string, error) {
	var p filter.Params
	list := p.Add("Array(String)", ids)
	found, err := k.store.findLinks(ctx, c, k.request, &p,
		// Two searches, because the order of the table serves the first alone.
		looked.condition(&p)+" AND correlation_id IN "+list,
		looked.condition(&p)+" AND call_id IN "+list+" AND correlation_id NOT IN "+list)
	return k.add(found), err
}

// findByID likewise adds the links of the ids, and those of whatever they lead to
// in table ids. complete is false when a bound cut it.
func (k *closure) findByID(ctx context.Context, c *cost, ids []string, looked windows, asked map[string]bool) (more []string, complete bool, err error) {
	pl, err := k.store.reach(ctx, c, ids, k.request.tenant, looked, maxPlaces)
	if err != nil {
		return nil, false, err
	}
	correlationIDs, callIDs := pl.names()
	for _, id := range slices.Concat(correlationIDs, callIDs) {
		asked[id] = true
	}
	group, ctx := errgroup.WithContext(ctx)
	if when := merge(slices.Concat(pl.hours().both(looked), pl.newest(looked))); !k.rowsAsked && len(when) > 0 {
		k.rowsAsked = true
		group.Go(func() (err error) {
			k.known, err = k.store.known(ctx, c, k.request, unasked(slices.Concat(ids, correlationIDs, callIDs), map[string]bool{"": true}), when)
			return err
		})
	}
	group.Go(func() error {
		var p filter.Params
		found, err := k.store.findLinks(k.store.light(ctx), c, k.request, &p, pl.rows(looked, &p))
		more = k.add(found)
		return err
	})
	err = group.Wait()
	return append(more, k.knownIDs()...), pl.whole, err
}

// findLinks finds the links of messages that meet one of the conditions, no two of
// which one message may meet.
func (s *Store) findLinks(ctx context.Context, c *cost, r closureRequest, p *filter.Params, conditions ...string) ([]link, error) {
	parts := make([]string, len(conditions))
	for i, condition := range conditions {
		parts[i] = "SELECT tenant, correlation_id, call_id, time, method, status, cseq_method, to_tag FROM " + s.table("sip") +
			" WHERE " + tenantCondition(r.tenant, p) + " AND " + condition
	}
	sql := "SELECT tenant, correlation_id, call_id, min(time), max(time), count(), " + signsSQL + "\nFROM\n(\n" + strings.Join(parts, "\nUNION ALL\n") +
		"\n)\nGROUP BY tenant, correlation_id, call_id ORDER BY min(time) LIMIT " + p.Add("UInt64", uint64(r.maxLinks+1))
	var out []link
	err := s.query(ctx, c, sql, p.Args(), func(rows driver.Rows) error {
		var l link
		if err := rows.Scan(&l.tenant, &l.correlationID, &l.callID, &l.first, &l.last, &l.messages, (*uint8)(&l.signs)); err != nil {
			return err
		}
		out = append(out, l)
		return nil
	})
	return out, err
}

// connect sorts links into components, and returns those that contain one of
// the ids, in order of their first message. An empty id connects nothing.
func connect(links []link, ids []string, known [][]node) []*component {
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
	for _, group := range known {
		for _, n := range group[1:] {
			parent[find(n)] = find(group[0])
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
