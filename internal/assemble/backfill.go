package assemble

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/heplake/heplake/internal/digest"
	"github.com/heplake/heplake/schema"
)

// backfill makes digests of what is stored without: by an earlier version, by
// others, or by a process that was killed before it stored them.
type backfill struct {
	builder digest.Builder
	linker  *digest.Linker
	// digestsOut, idsOut and usersOut are rows to be written.
	digestsOut, idsOut, usersOut writer
	// todo are the hours of the day in work that are left, lookedAt when the table
	// was last asked for days.
	todo     []storedHour
	lookedAt time.Time
}

// storedHour is an hour of a table; last says that the day is done after it.
type storedHour struct {
	source string
	day    time.Time
	hour   int
	last   bool
}

// backfillEvery is how often the table of days is looked at.
const backfillEvery = time.Minute

func newBackfill(linkHeaders []string) backfill {
	return backfill{linker: digest.NewLinker(linkHeaders)}
}

// digestStored makes digests for the days of table backfill, the newest first, as
// long as the time allows; made tells whether there were any.
func (a *Assembler) digestStored(ctx context.Context, budget time.Duration, everything bool) (made bool, err error) {
	began := time.Now()
	for {
		if len(a.todo) == 0 {
			if !everything && time.Since(a.lookedAt) < backfillEvery {
				return made, nil
			}
			if err := a.daysToDo(ctx); err != nil {
				return made, err
			}
			a.lookedAt = time.Now()
			if len(a.todo) == 0 {
				return made, nil
			}
		}
		h := a.todo[0]
		from := h.day.Add(time.Duration(h.hour) * time.Hour)
		if err := a.DigestStored(ctx, h.source, from, from.Add(time.Hour)); err != nil {
			return made, err
		}
		a.todo, made = a.todo[1:], true
		if h.last {
			sql := fmt.Sprintf("INSERT INTO %s (source, day, time, done) SETTINGS distributed_foreground_insert = 1 SELECT '%s', toDate('%s'), now64(6), 1", a.table("backfill"), h.source, h.day.Format(time.DateOnly))
			if err := a.cfg.Conn.Exec(ctx, sql); err != nil {
				return made, err
			}
			a.lookedAt = time.Time{}
		}
		if time.Since(began) > budget {
			return made, nil
		}
	}
}

// Digests wait in memory for longer than messages: of a process that was killed some
// were stored without. They are looked for around the end of what it stored, and
// around its last sign of life: so long before it, as ingest holds them for 15 s at
// most and only those of messages whose times are within 10 s of their receipt.
const (
	mendBefore, mendAfter = 10 * time.Second, 5 * time.Second
	diedBefore, diedAfter = 30 * time.Second, leaseTime/leaseSigns + 15*time.Second
)

// mend makes the digests again of what was stored shortly before the last digest,
// and before the end of the process that worked before.
func (a *Assembler) mend(ctx context.Context) error {
	var last time.Time
	err := a.rows(ctx, "SELECT max(touched) FROM "+a.table("leg_digests")+" WHERE touched > now64(6) - toIntervalDay(1)", func(r *reader) { last = time.UnixMicro(r.int64()) })
	if err != nil {
		return err
	}
	var times []span
	if last.Unix() > 0 {
		times = append(times, span{last.Add(-mendBefore), last.Add(mendAfter)})
	}
	if !a.died.IsZero() {
		s := span{a.died.Add(-diedBefore), a.died.Add(diedAfter)}
		if n := len(times); n > 0 && !times[0].to.Before(s.from) && !s.to.Before(times[0].from) {
			s.from, s.to = earlier(s.from, times[0].from), later(s.to, times[0].to)
			times = times[:0]
		}
		times = append(times, s)
	}
	for _, s := range times {
		for _, source := range []string{schema.SIP.Name, schema.Media.Name} {
			if err := a.DigestStored(ctx, source, s.from, s.to); err != nil {
				return err
			}
		}
	}
	a.died = time.Time{}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// daysToDo finds the newest day to do.
func (a *Assembler) daysToDo(ctx context.Context) error {
	sql := "SELECT source, toString(day) FROM " + a.table("backfill") + " GROUP BY source, day HAVING argMax(done, time) = 0 ORDER BY day DESC, source DESC LIMIT 1"
	return a.rows(ctx, sql, func(r *reader) {
		source, text := r.string(), r.string()
		day, err := time.Parse(time.DateOnly, text)
		if err != nil || r.err != nil {
			return
		}
		for hour := 23; hour >= 0; hour-- {
			a.todo = append(a.todo, storedHour{source, day, hour, hour == 0})
		}
	})
}

// backfillLegs is how many digests are gathered before they are written.
const backfillLegs = 50_000

// sipColumns are what a digest wants of a message, as RowBinary has them.
const sipColumns = `toUnixTimestamp64Micro(time), toString(tenant), toString(node), capture_id, correlation_id, call_id, toIPv6(src_ip), src_port, toIPv6(dst_ip), dst_port, toString(transport),
    toString(method), status, toString(reason), cseq, toString(cseq_method), from_user, toString(from_domain), from_tag, to_user, toString(to_domain), to_tag, ruri_user, toString(ruri_domain),
    toString(user_agent), toString(server), contact_user, toString(contact_host), contact_port, pai_user, toString(diversion), via_branch, toString(via_host), expires, q850, sdp,
    arrayMap(k -> toString(k), mapKeys(headers)), mapValues(headers)`

const mediaColumns = "toUnixTimestamp64Micro(time), toString(tenant), if(m.call_id != '', m.call_id, m.correlation_id), toIPv6(src_ip), src_port, ssrc, reporter, mos, fraction_lost, jitter_ms, rtt_ms, " + schema.IsReception

// DigestStored makes digests of what table sip or media has of the times. What has
// digests already is no worse for it.
func (a *Assembler) DigestStored(ctx context.Context, source string, from, to time.Time) error {
	condition := " WHERE " + hoursOf("time", from, to) + " AND time >= " + at(from.UnixMicro()) + " AND time < " + at(to.UnixMicro())
	a.builder.Reset()
	tenant := ""
	var failed error
	add := func(t string) {
		if t != tenant || a.builder.Len() >= backfillLegs {
			if failed == nil {
				failed = a.storeDigests(ctx, tenant)
			}
			tenant = t
		}
	}
	var err error
	if source == schema.Media.Name {
		sql := "SELECT " + mediaColumns + " FROM " + a.table("media") + " AS m" + condition + " AND report != 'feedback' ORDER BY tenant"
		err = a.rows(ctx, sql, func(r *reader) {
			q := digest.Report{Time: r.int64()}
			add(a.intern(r.bytes()))
			id := r.string()
			q.Src, q.SrcPort = r.endpoint()
			q.SSRC, q.Reporter = r.uint32(), r.uint32()
			q.MOS, q.Loss, q.JitterMs, q.RTTMs = float32(r.float32()), float32(r.float32()), float32(r.float32()), float32(r.float32())
			q.Reception = r.uint8() == 1
			if r.err == nil {
				a.builder.Report([]byte(id), &q)
			}
		})
	} else {
		sql := "SELECT " + sipColumns + " FROM " + a.table("sip") + condition + " ORDER BY tenant"
		var m digest.Message
		err = a.rows(ctx, sql, func(r *reader) {
			m.Time = r.int64()
			add(a.intern(r.bytes()))
			a.readMessage(r, &m)
			if r.err == nil {
				a.builder.Message(&m)
			}
		})
	}
	if err == nil {
		err = failed
	}
	if err == nil {
		err = a.storeDigests(ctx, tenant)
	}
	if err != nil {
		return fmt.Errorf("assemble: digests of %s from %s: %w", source, from.UTC().Format(time.RFC3339), err)
	}
	return nil
}

// readMessage reads sipColumns after the tenant.
func (a *Assembler) readMessage(r *reader, m *digest.Message) {
	text := func() []byte { return []byte(r.string()) }
	m.Node, m.CaptureID, m.CorrelationID, m.CallID = text(), r.uint32(), text(), text()
	m.Src, m.SrcPort = r.endpoint()
	m.Dst, m.DstPort = r.endpoint()
	m.Transport, m.Method, m.Status, m.Reason = text(), text(), r.uint16(), text()
	m.CSeq, m.CSeqMethod = r.uint32(), text()
	m.FromUser, m.FromDomain, m.FromTag = text(), text(), text()
	m.ToUser, m.ToDomain, m.ToTag = text(), text(), text()
	m.RURIUser, m.RURIDomain, m.UserAgent, m.Server = text(), text(), text(), text()
	m.ContactUser, m.ContactHost, m.ContactPort = text(), text(), r.uint16()
	m.PAIUser, m.Diversion, m.ViaBranch, m.ViaHost = text(), text(), text(), text()
	m.Expires, m.Q850, m.SDP = r.uint32(), r.uint16(), text()
	names, values := r.strings(), r.strings()
	a.linker.Reset()
	for i := range min(len(names), len(values)) {
		a.linker.Add(names[i], []byte(values[i]))
	}
	m.Links = a.linker.Links()
}

// storeDigests writes the digests gathered, and the ids and users of what they are of,
// and forgets them.
func (a *Assembler) storeDigests(ctx context.Context, tenant string) error {
	digests, ids, users := &a.digestsOut, &a.idsOut, &a.usersOut
	digests.b, ids.b, users.b = digests.b[:0], ids.b[:0], users.b[:0]
	rows, idRows, userRows := 0, 0, 0
	name := func(name, id []byte) string {
		if string(name) == string(id) {
			return ""
		}
		return string(name)
	}
	a.builder.Tell(func(id digest.ID) {
		if len(id.Key) == 0 {
			return
		}
		ids.uint64(digest.IDHash(id.Key))
		ids.string(tenant)
		ids.uint32(id.Slot - id.Slot%3600)
		ids.string(name(id.CallID, id.Key))
		ids.string(name(id.CorrelationID, id.Key))
		idRows++
	}, func(u digest.User) {
		users.uint64(digest.IDHash(u.Name))
		users.string(tenant)
		users.uint32(u.Slot - u.Slot%3600)
		users.string(string(u.CorrelationID))
		users.b = append(users.b, u.Fields)
		userRows++
	})
	for i := range a.builder.Len() {
		row := a.builder.Row(i)
		if row.Kinds == 0 {
			continue
		}
		digests.uint32(row.Slot)
		digests.string(tenant)
		digests.string(string(row.CallID))
		digests.b = append(digests.b, byte(row.Kinds))
		digests.string(string(row.Digest))
		rows++
	}
	a.builder.Reset()
	if err := a.insert(ctx, "ids", "id, tenant, hour, call_id, correlation_id", idRows, rowBinary, bytes.NewReader(ids.b)); err != nil {
		return err
	}
	if err := a.insert(ctx, "users", "user, tenant, hour, correlation_id, fields", userRows, rowBinary, bytes.NewReader(users.b)); err != nil {
		return err
	}
	return a.insert(ctx, "leg_digests", "slot, tenant, call_id, kinds, digest", rows, rowBinary, bytes.NewReader(digests.b))
}

// hoursOf is the condition on a time for the hours that have the times, as the
// primary key wants it.
func hoursOf(column string, from, to time.Time) string {
	second := func(t time.Time) string { return "toDateTime(" + strconv.FormatInt(max(0, t.Unix()), 10) + ", 'UTC')" }
	return "toStartOfHour(" + column + ") >= " + second(hourOf(from)) + " AND toStartOfHour(" + column + ") <= " + second(hourOf(to))
}
