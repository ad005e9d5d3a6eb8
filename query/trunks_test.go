package query_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/heplake/heplake/bench/truth"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/schema"
)

// nameTrunks gives the lake's addresses names, as a migration does after the
// setting changed, and opens a store that knows them.
func (l *lake) nameTrunks(t *testing.T, byName map[string][]string) []schema.Trunk {
	t.Helper()
	trunks, err := schema.ParseTrunks(byName)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []*schema.View{&schema.Trunks, schema.TrunkHourly} {
		l.exec(t, v.CreateSQL(schema.Options{Database: l.name, Trunks: trunks}))
	}
	if l.Store, err = query.Open(t.Context(), query.Options{URL: l.URL}); err != nil {
		t.Fatal(err)
	}
	store := l.Store
	t.Cleanup(func() { _ = store.Close() })
	return trunks
}

// TestTrunks: KPIs, searches and calls know trunks by the names of the day, and
// what was stored before is known by a new name, too.
func TestTrunks(t *testing.T) {
	l := open(t)
	start := time.Now().UTC().Truncate(24 * time.Hour).Add(-40 * time.Hour)
	corpus, err := truth.New(truth.Config{Seed: 3, Calls: 120, Start: start, Gap: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	l.Feed(t, corpus.Data())
	l.Settle(t)
	from, to := start.Truncate(24*time.Hour), start.Truncate(24*time.Hour).Add(24*time.Hour)
	for _, names := range []map[string][]string{
		{"edges": {"10.1.0.0/24"}, "edge one": {"10.1.0.1"}, "users": {"172.16.0.0/12"}, "gateways": {"192.0.2.0/24"}},
		{"edge one": {"10.1.0.1"}, "edge two": {"10.1.0.2"}, "gateways": {"192.0.2.0/28"}},
		{"everything": {"::/0"}, "edges anew": {"::ffff:10.1.0.0/120"}},
		{},
	} {
		trunks := l.nameTrunks(t, names)
		want := map[string]map[string]float64{"src_trunk": {}, "dst_trunk": {}, "trunk": {}}
		for i := range corpus.Calls {
			c := &corpus.Calls[i]
			if c.Method != "INVITE" {
				continue
			}
			src, dst := schema.TrunkOf(trunks, netip.MustParseAddrPort(c.Src).Addr()), schema.TrunkOf(trunks, netip.MustParseAddrPort(c.Dst).Addr())
			want["src_trunk"][src]++
			want["dst_trunk"][dst]++
			either := slices.Compact([]string{src, dst})
			if either = slices.DeleteFunc(either, func(s string) bool { return s == "" }); len(either) == 0 {
				either = []string{""}
			}
			for _, name := range either {
				want["trunk"][name]++
			}
		}
		for group, byName := range want {
			for _, filter := range []string{"", "tenant = default"} {
				got := map[string]float64{}
				for _, s := range l.series(t, query.SeriesRequest{Metric: "attempts", From: from, To: to, Step: 24 * time.Hour, GroupBy: []string{group}, Filter: filter}).Series {
					got[s.Labels[0].Value] = *s.Values[0]
				}
				for name, n := range byName {
					if got[name] != n {
						t.Errorf("%s %q, filter %q: %v calls, should be %v", group, name, filter, got[name], n)
					}
				}
				if len(got) != len(byName) {
					t.Errorf("%s, filter %q: %v", group, filter, got)
				}
			}
		}
		for _, most := range []int{1000, 1} {
			undo := query.SetMaxAddresses(most)
			l.compareTrunks(t, from.Add(7*time.Second), to)
			undo()
		}
		for name := range names {
			found, err := l.Calls(t.Context(), query.CallsRequest{From: from, To: to, Limit: 500, Filter: `method = INVITE and src_trunk = "` + name + `"`})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range found.Calls {
				if c.SrcTrunk != schema.TrunkOf(trunks, c.SrcIP) || c.DstTrunk != schema.TrunkOf(trunks, c.DstIP) {
					t.Errorf("%v to %v is said to be of trunk %q to %q", c.SrcIP, c.DstIP, c.SrcTrunk, c.DstTrunk)
				}
			}
			if n := want["src_trunk"][name]; float64(len(found.Calls)) < n {
				t.Errorf("%d calls came from %s, should be %v", len(found.Calls), name, n)
			}
			var in float64
			if err := l.db.QueryRow(t.Context(), "SELECT toFloat64(sum(attempts)) FROM trunk_hourly WHERE direction = 'in' AND trunk = {name:String}", clickhouse.Named("name", name)).Scan(&in); err != nil {
				t.Fatal(err)
			}
			if n := want["src_trunk"][name]; in != n {
				t.Errorf("trunk_hourly has %v calls from %s, should be %v", in, name, n)
			}
		}
	}
	messages := l.series(t, query.SeriesRequest{Metric: "messages", From: from, To: to, Step: 24 * time.Hour, GroupBy: []string{"src_trunk"}})
	if len(messages.Series) != 1 || messages.Series[0].Labels[0].Value != "" {
		t.Errorf("messages of no trunk: %v", figures(messages))
	}
}

// compareTrunks checks figures by trunk, and those of the others, from rollups
// against those of the calls themselves.
func (l *lake) compareTrunks(t *testing.T, from, to time.Time) {
	t.Helper()
	for metric, groups := range map[string][]string{
		"asr": {"src_trunk", "dst_trunk"}, "acd_s": {"src_trunk"}, "pdd_ms": {"src_trunk", "dst_trunk"}, "active_calls": {"src_trunk", "dst_trunk", "trunk"}, "registrations": {"src_trunk"},
	} {
		for _, group := range groups {
			for _, limit := range []int{1, 2, 20} {
				r := query.SeriesRequest{Metric: metric, From: from, To: to, Step: time.Hour, GroupBy: []string{group}, Limit: limit}
				rolled := figures(l.series(t, r))
				r.Filter = "tenant = default" // rollups know no filter
				if direct := figures(l.series(t, r)); rolled != direct {
					t.Errorf("%s by %s, limit %d: rollups say %s, calls %s", metric, group, limit, rolled, direct)
				}
			}
		}
	}
}
