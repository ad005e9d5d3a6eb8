package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/heplake/heplake/schema"
)

var received = time.UnixMicro(1_790_000_000_000_000)

// addRow adds row n as a busy platform would: few different values in most
// columns, ids that do not come again.
func addRow(b *Batch[SIP], n int, raw []byte) {
	c := &b.Cols
	var id [16]byte
	binary.BigEndian.PutUint64(id[8:], uint64(n/14))
	user := usual.users[n*7919%len(usual.users)]
	c.Time.Append(received.UnixMicro() + int64(n))
	c.Tenant.AppendString("default")
	c.Node.Append(usual.nodes[n%len(usual.nodes)])
	c.CaptureID.Append(uint32(n % len(usual.nodes)))
	c.CorrelationID.Append(id[:])
	c.Packing.Append(schema.Packed)
	c.OwnCallID.Append(nil)
	c.SrcIP.Append(usual.addrs[n*31%len(usual.addrs)])
	c.SrcPort.Append(5060)
	c.DstIP.Append(usual.addrs[n*17%len(usual.addrs)])
	c.DstPort.Append(5060)
	c.Transport.AppendString("udp")
	c.HEP.End()
	c.Method.Append(usual.methods[n%len(usual.methods)])
	c.Status.Append(uint16(100 + n%7))
	c.Reason.Append(nil)
	c.CSeq.Append(1)
	c.CSeqMethod.Append(usual.methods[n%len(usual.methods)])
	c.FromUser.Append(user)
	c.FromDomain.Append(usual.domains[n%len(usual.domains)])
	c.FromTag.Append(id[8:])
	c.ToUser.Append(user)
	c.ToDomain.Append(usual.domains[n%len(usual.domains)])
	c.ToTag.Append(id[8:])
	c.RURIUser.Append(user)
	c.RURIDomain.Append(usual.domains[n%len(usual.domains)])
	c.UserAgent.Append(usual.domains[n*3%len(usual.domains)])
	c.Server.Append(nil)
	c.ContactUser.Append(user)
	c.ContactHost.Append(usual.domains[n*5%len(usual.domains)])
	c.ContactPort.Append(5060)
	c.PAIUser.Append(nil)
	c.AuthUser.Append(nil)
	c.Diversion.Append(nil)
	c.BranchAt.Append(1)
	c.BranchLen.Append(8)
	c.OwnBranch.Append(nil)
	c.ViaHost.Append(usual.domains[n*5%len(usual.domains)])
	c.ViaPort.Append(5060)
	c.ContentType.Append(nil)
	c.Expires.Append(0)
	c.Q850.Append(0)
	c.ReasonHeader.Append(nil)
	c.SDP.Append(nil)
	c.Headers.Set("X-CID", id[:])
	c.Headers.End()
	c.ParseError.Append(nil)
	c.Packed.Append(raw)
	b.Commit(1, received)
}

// usual are the values that come again and again.
var usual = func() (u struct {
	users, nodes, methods, domains [][]byte
	addrs                          [][schema.AddrWidth]byte
}) {
	for i := range 5000 {
		u.users = append(u.users, fmt.Appendf(nil, "+4930%07d", i))
		u.addrs = append(u.addrs, [schema.AddrWidth]byte{10: 0xff, 11: 0xff, 12: 10, 14: byte(i >> 8), 15: byte(i)})
	}
	for i := range 50 {
		u.domains = append(u.domains, fmt.Appendf(nil, "pbx%02d.example.net", i))
	}
	for i := range 8 {
		u.nodes = append(u.nodes, fmt.Appendf(nil, "edge-%d", i))
	}
	for _, m := range []string{"INVITE", "ACK", "BYE", "", "", "", "REGISTER"} {
		u.methods = append(u.methods, []byte(m))
	}
	return u
}()

func TestAppendToWarmBatchDoesNotAllocate(t *testing.T) {
	const rows = 20_000
	raw := make([]byte, 680)
	b := New[SIP](&schema.SIP)
	for n := range rows {
		addRow(b, n, raw)
	}
	b.Reset()
	n := 0
	if allocs := testing.AllocsPerRun(rows-1, func() {
		addRow(b, n, raw)
		n++
	}); allocs != 0 {
		t.Errorf("%g allocations for a row", allocs)
	}
	if b.Rows() != rows {
		t.Errorf("%d rows", b.Rows())
	}
}

// TestDictionaries checks that Enum and Addr give back what went in, through
// growth, reset and reuse, and keep each value once.
func TestDictionaries(t *testing.T) {
	var enum Enum
	var addr Addr
	for _, distinct := range []int{1, 3, 31, 32, 33, 70_000, 5} {
		const rows = 150_000
		for n := range rows {
			v := n * 7919 % distinct
			enum.Append(fmt.Appendf(nil, "value %d", v))
			addr.Append([schema.AddrWidth]byte{3: byte(v >> 16), 8: byte(v >> 8), 15: byte(v)})
		}
		if enum.len() != rows || addr.len() != rows || enum.values.len() != distinct || len(addr.values) != distinct*schema.AddrWidth {
			t.Fatalf("%d distinct values: %d and %d rows, %d and %d values", distinct, enum.len(), addr.len(), enum.values.len(), len(addr.values)/schema.AddrWidth)
		}
		for n := range rows {
			v := n * 7919 % distinct
			if got := string(enum.values.at(int(enum.rows[n]))); got != fmt.Sprintf("value %d", v) {
				t.Fatalf("%d distinct values: row %d is %q", distinct, n, got)
			}
			if got := [schema.AddrWidth]byte(addr.values[schema.AddrWidth*addr.rows[n]:]); got != [schema.AddrWidth]byte{3: byte(v >> 16), 8: byte(v >> 8), 15: byte(v)} {
				t.Fatalf("%d distinct values: row %d is %v", distinct, n, got)
			}
		}
		enum.reset()
		addr.reset()
	}
}

func TestSealedBatchReadsBack(t *testing.T) {
	b := New[SIP](&schema.SIP)
	const rows = 1000
	for n := range rows {
		addRow(b, n, fmt.Appendf(nil, "raw %d", n))
	}
	sealed, err := b.Seal()
	if err != nil {
		t.Fatal(err)
	}
	size := sealed.Size()
	if sealed, err = sealed.Load(); err != nil {
		t.Fatal(err)
	}
	if size != int64(len(sealed.Body)) {
		t.Errorf("%d bytes in pieces, %d in one", size, len(sealed.Body))
	}
	if sealed.Rows != rows || sealed.Packets != rows || sealed.Table != "sip" || !sealed.Oldest.Equal(received) || sealed.ID == "" {
		t.Errorf("sealed as %s: %d rows, %d packets, table %s, oldest %s", sealed.ID, sealed.Rows, sealed.Packets, sealed.Table, sealed.Oldest)
	}
	r, err := ipc.NewReader(bytes.NewReader(sealed.Body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if !r.Next() {
		t.Fatal("no record batch")
	}
	rec := r.Record()
	column := func(name string) int { return rec.Schema().FieldIndices(name)[0] }
	src := rec.Column(column("src_ip")).(*array.Dictionary)
	domain := rec.Column(column("from_domain")).(*array.Dictionary)
	raw := rec.Column(column("packed")).(*array.Binary)
	for n := range rows {
		addr := usual.addrs[n*31%len(usual.addrs)]
		if got := src.Dictionary().(*array.FixedSizeBinary).Value(src.GetValueIndex(n)); string(got) != string(addr[:]) {
			t.Fatalf("row %d: src_ip %v", n, got)
		}
		if got := domain.Dictionary().(*array.Binary).Value(domain.GetValueIndex(n)); string(got) != string(usual.domains[n%len(usual.domains)]) {
			t.Fatalf("row %d: from_domain %q", n, got)
		}
		if got := string(raw.Value(n)); got != fmt.Sprintf("raw %d", n) {
			t.Fatalf("row %d: raw %q", n, got)
		}
	}
	if r.Next() {
		t.Error("a second record batch: a sealed batch is one block")
	}
}

func TestSealRefusesRaggedColumns(t *testing.T) {
	b := New[SIP](&schema.SIP)
	addRow(b, 1, nil)
	b.Cols.Method.AppendString("INVITE")
	if _, err := b.Seal(); err == nil {
		t.Error("sealed a batch with a column too long")
	}
}

// BenchmarkAppendRow is the cost of one row of a batch that has its memory.
func BenchmarkAppendRow(b *testing.B) {
	const rows = 20_000
	raw := make([]byte, 680)
	batch := New[SIP](&schema.SIP)
	for n := range rows {
		addRow(batch, n, raw)
	}
	batch.Reset()
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		addRow(batch, n, raw)
		if n++; n%rows == 0 {
			batch.Reset()
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkSeal is the cost of sealing a full batch.
func BenchmarkSeal(b *testing.B) {
	const rows = 50_000
	raw := make([]byte, 680)
	batch := New[SIP](&schema.SIP)
	for n := range rows {
		addRow(batch, n, raw)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := batch.Seal(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// TestTakenRowsAreTheSameRows: batches taken together read back as one batch
// that got all the rows.
func TestTakenRowsAreTheSameRows(t *testing.T) {
	const rows = 700
	whole, parts := New[SIP](&schema.SIP), [3]*Batch[SIP]{New[SIP](&schema.SIP), New[SIP](&schema.SIP), New[SIP](&schema.SIP)}
	for n := range rows {
		raw := fmt.Appendf(nil, "raw %d", n)
		addRow(whole, n, raw)
		addRow(parts[n/300], n, raw)
	}
	all := New[SIP](&schema.SIP)
	all.Take(all) // nothing
	for _, p := range parts {
		all.Take(p)
		p.Reset()
	}
	if all.Rows() != rows || all.Packets() != rows || !all.Opened().Equal(received) {
		t.Errorf("%d rows of %d packets, opened %s", all.Rows(), all.Packets(), all.Opened())
	}
	got, want := read(t, all), read(t, whole)
	defer got.Release()
	defer want.Release()
	for i, c := range want.Columns() {
		// Values, not indexes: the dictionaries may be in another order.
		for row := range rows {
			if g, w := got.Column(i).ValueStr(row), c.ValueStr(row); g != w {
				t.Fatalf("%s of row %d: %s, want %s", want.ColumnName(i), row, g, w)
			}
		}
	}
}

// read is the record batch that a batch is sealed as.
func read(t *testing.T, b *Batch[SIP]) arrow.Record {
	t.Helper()
	sealed, err := b.Seal()
	if err != nil {
		t.Fatal(err)
	}
	if sealed, err = sealed.Load(); err != nil {
		t.Fatal(err)
	}
	r, err := ipc.NewReader(bytes.NewReader(sealed.Body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if !r.Next() {
		t.Fatal("no record batch")
	}
	r.Record().Retain()
	return r.Record()
}
