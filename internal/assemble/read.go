package assemble

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/heplake/heplake/internal/digest"
)

// readRows bounds the digests that are read before calls are made of them.
const readRows = 200_000

// insertion is an insert into leg_digests, by the time that the server gave it.
type insertion struct {
	touched int64 // µs since the epoch
	rows    uint64
}

// insertions lists the inserts since then that were not read yet, in order.
func (a *Assembler) insertions(ctx context.Context, since time.Time) ([]insertion, error) {
	var out []insertion
	sql := "SELECT touched, count() FROM " + a.table("leg_digests") + " WHERE touched >= " + at(max(0, since.UnixMicro())) + a.notHanded() + " GROUP BY touched"
	err := a.rows(ctx, sql, func(r *reader) {
		i := insertion{touched: r.int64(), rows: r.uint64()}
		if a.read[i.touched] != i.rows {
			out = append(out, i)
		}
	})
	slices.SortFunc(out, func(x, y insertion) int { return int(x.touched - y.touched) })
	return out, err
}

// forgetRead forgets the inserts that no look goes back to any more.
func (a *Assembler) forgetRead(before int64) {
	for touched := range a.read {
		if touched < before {
			delete(a.read, touched)
		}
	}
}

// readInsertions takes in as many of the inserts as readRows allows, and returns
// the rest.
func (a *Assembler) readInsertions(ctx context.Context, list []insertion) (rest []insertion, err error) {
	var rows uint64
	n := 0
	for n < len(list) && (n == 0 || rows+list[n].rows <= readRows) {
		rows += list[n].rows
		n++
	}
	times := make([]int64, n)
	for i, in := range list[:n] {
		times[i] = in.touched
	}
	// What was left waiting, and what a clock that was set back gave a time before, are
	// in no order.
	condition := "touched >= " + at(slices.Min(times)) + " AND touched <= " + at(slices.Max(times)) + " AND toUnixTimestamp64Micro(touched) IN (" + joinInts(times) + ")" + a.notHanded()
	now := time.Now()
	err = a.digests(ctx, condition, func(id legID, slot int64, kinds digest.Kinds, data []byte) {
		a.cache.digest(id, slot, kinds, data, now)
		a.index(id, kinds, data)
	})
	if err != nil {
		return list, err
	}
	for _, in := range list[:n] {
		a.read[in.touched] = in.rows
	}
	return list[n:], nil
}

// notHanded is the condition for digests that were not in the inbox before.
func (a *Assembler) notHanded() string {
	if run := a.inbox.Run(); run != 0 {
		return " AND handed != " + strconv.FormatUint(run, 10)
	}
	return ""
}

// takeHanded takes in what is in the inbox.
func (a *Assembler) takeHanded() {
	now := time.Now()
	queue, stored := a.inbox.drain()
	if a.cfg.Replicas {
		stored = stored.Add(-overlap)
	}
	a.cache.stored = stored
	for _, h := range queue {
		tenant := a.intern([]byte(h.tenant))
		for i := range h.pieces {
			p := &h.pieces[i]
			id := legID{tenant, p.CallID}
			a.cache.digest(id, int64(p.Slot), p.Kinds, p.Digest, now).handedAt = now
			a.index(id, p.Kinds, p.Digest)
		}
	}
}

// digests reads digests. data holds until each returns.
func (a *Assembler) digests(ctx context.Context, condition string, each func(id legID, slot int64, kinds digest.Kinds, data []byte)) error {
	sql := "SELECT slot, tenant, call_id, kinds, digest FROM " + a.table("leg_digests") + " WHERE " + condition
	return a.rows(ctx, sql, func(r *reader) {
		slot := int64(r.uint32())
		id := legID{a.intern(r.bytes()), r.string()}
		kinds := digest.Kinds(r.uint8())
		if data := r.bytes(); r.err == nil {
			each(id, slot, kinds, data)
		}
	})
}

// intern makes a tenant's name once.
func (a *Assembler) intern(b []byte) string {
	if s, ok := a.tenants[string(b)]; ok {
		return s
	}
	if len(a.tenants) > 10_000 {
		clear(a.tenants)
	}
	s := string(b)
	a.tenants[s] = s
	return s
}

// warm fills the cache with the legs of the last hour, the newest slots first, as
// far as there is room, so that what goes on need not be looked for.
func (a *Assembler) warm(ctx context.Context, now time.Time) error {
	const back = time.Hour
	slot := slotOf(now.Add(slotWidth))
	a.cache.follows = slot.Add(slotWidth).Unix()
	var entries []*entry
	for ; slot.After(now.Add(-back)); slot = slot.Add(-slotWidth) {
		var count uint64
		if err := a.rows(ctx, "SELECT count() FROM "+a.table("leg_digests")+" WHERE "+span{slot, slot}.sql("slot"), func(r *reader) { count = r.uint64() }); err != nil {
			return err
		}
		if count > readRows {
			break
		}
		err := a.digests(ctx, span{slot, slot}.sql("slot"), func(id legID, slot int64, kinds digest.Kinds, data []byte) {
			e := a.cache.get(id)
			if e == nil {
				e = &entry{legID: id}
				entries = append(entries, e)
				a.cache.put(e)
			}
			e.add(slot, kinds, data)
			a.cache.count(e)
			a.index(id, kinds, data)
		})
		if err != nil {
			return err
		}
		if a.cache.bytes > a.cache.size/2 {
			break
		}
		a.cache.follows = slot.Unix()
	}
	for _, e := range entries {
		e.whole = e.kinds&digest.Opens != 0 && e.first > a.cache.follows
	}
	return nil
}

// index remembers the ids that tie the leg to others.
func (a *Assembler) index(id legID, kinds digest.Kinds, data []byte) {
	if kinds&digest.Linked != 0 {
		digest.Ties(data, func(value []byte) { a.carriers.add(string(value), id) })
	}
}
