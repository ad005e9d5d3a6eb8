package query

import (
	"context"
	"slices"
	"time"

	"github.com/heplake/heplake/query/filter"
)

// maxSimple is how many ids of dialogs simpleDialogs looks up at a time.
const maxSimple = 200

// simpleDialogs takes from the pending candidates those that are dialogs of other
// methods with one id for everything, which no other leg can hang together with:
// table ids says so, and their messages are all there is to read. Registrations and
// pings are nearly all like this.
func (s *callSearch) simpleDialogs(ctx context.Context) error {
	if s.places != nil || !s.meetsAll() {
		return nil
	}
	var ids []string
	var messages []window
	hours, tenants := map[string]bool{}, map[string]bool{}
	settled := time.Now().Add(-idLag)
	for _, c := range s.pending {
		if !c.call && c.at.Before(settled) && len(ids) < maxSimple {
			ids, tenants[c.tenant] = append(ids, c.id), true
			messages = append(messages, window{c.at.Add(-nearBefore), c.at.Add(nearAfter)})
		}
	}
	if len(ids) == 0 {
		return nil
	}
	pl, err := s.store.lookUp(ctx, &s.cost, ids, s.request.Tenant, merge(messages), maxPlaces)
	if err != nil || !pl.whole {
		return err
	}
	simple := map[node]bool{}
	for _, p := range pl.list {
		n := node{p.tenant, p.callID}
		if before, ok := simple[n]; !ok || before {
			simple[n] = p.callID == p.correlationID
		}
		if p.callID != p.correlationID {
			simple[node{p.tenant, p.correlationID}] = false
		}
	}
	ids = slices.DeleteFunc(ids, func(id string) bool {
		return !slices.ContainsFunc(s.pending, func(c candidate) bool { return c.id == id && simple[c.node] })
	})
	if len(ids) == 0 {
		return nil
	}
	for _, w := range messages {
		for at := w.from.Truncate(time.Hour); at.Before(w.to); at = at.Add(time.Hour) {
			hours[at.UTC().Format(time.DateTime)] = true
		}
	}
	// By the hour and the id alone: a condition for each window takes longer to plan
	// than all the rest. Reports too: media is of calls, and one of something else is
	// looked for by its correlation id alone.
	there := func(p *filter.Params) string {
		return "toStartOfHour(time) IN " + p.Add("Array(DateTime('UTC'))", setOf(hours)) + " AND correlation_id IN " + p.Add("Array(String)", ids)
	}
	byLeg, reported, err := s.store.dialogMessages(ctx, &s.cost, tenants, there, there)
	if err != nil {
		return err
	}
	s.pending = slices.DeleteFunc(s.pending, func(c candidate) bool {
		near := window{c.at.Add(-nearBefore), c.at.Add(nearAfter)}
		all := slices.DeleteFunc(slices.Clone(byLeg[c.node]), func(m dialogMessage) bool { return m.at.Before(near.from) || !m.at.Before(near.to) })
		if !simple[c.node] || reported[c.node] || !areOther(all) || !lies(all, window{near.from.Add(edgeMargin), near.to.Add(-edgeMargin)}) {
			return false // there may be more of it beyond, or elsewhere
		}
		call := dialogOf(c.id, all)
		s.done(&call)
		s.examined++
		s.found = append(s.found, s.behind([]Call{call})...)
		return true
	})
	return nil
}

// lies reports whether the messages of a dialog lie in the window, with the request
// that opened it.
func lies(all []dialogMessage, w window) bool {
	opened := false
	for _, m := range all {
		if m.at.Before(w.from) || !m.at.Before(w.to) {
			return false
		}
		opened = opened || m.method != "" && m.toTag == "" && !slices.Contains([]string{"ACK", "BYE", "CANCEL", "PRACK"}, m.method)
	}
	return opened
}

// meetsAll reports whether every dialog matches that a candidate is of.
func (s *callSearch) meetsAll() bool {
	return s.plan.Match == "1" && len(s.plan.Messages) == 0 || s.plan.Match == "m0" && len(s.plan.Messages) == 1 && s.plan.Messages[0] == s.plan.Prefilter
}
