package schema_test

import (
	"net/netip"
	"testing"

	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/schema"
)

func TestParseTrunks(t *testing.T) {
	list, err := schema.ParseTrunks(map[string][]string{
		"a": {"192.0.2.0/24", "2001:db8::/32"}, "one": {"192.0.2.7", "::ffff:192.0.2.8"}, "mapped": {"::ffff:10.0.0.0/104"}, "all": {"::/0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"192.0.2.6": "a", "192.0.2.7": "one", "192.0.2.8": "one", "::ffff:192.0.2.9": "a", "192.0.3.0": "all", "2001:db8::1": "a", "2001:db9::1": "all", "10.9.8.7": "mapped", "::": "all",
	} {
		if got := schema.TrunkOf(list, netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is of %q, should be %q", address, got, want)
		}
	}
	if got := schema.TrunkOf(list, netip.Addr{}); got != "" {
		t.Errorf("no address is of %q", got)
	}
	for what, bad := range map[string]map[string][]string{
		"a name":        {"a": {"example.org"}},
		"a port":        {"a": {"192.0.2.1:5060"}},
		"nothing":       {"a": {}},
		"no name":       {"": {"192.0.2.1"}},
		"taken already": {"a": {"192.0.2.1"}, "b": {"192.0.2.1/32"}},
	} {
		if _, err := schema.ParseTrunks(bad); err == nil {
			t.Errorf("%s passes", what)
		}
	}
}

// TestTrunksStayAmongTelephones: a bucket keeps so many addresses, and those of
// trunks in any case.
func TestTrunksStayAmongTelephones(t *testing.T) {
	l := laketest.Open(t)
	trunks, err := schema.ParseTrunks(map[string][]string{"carrier": {"192.0.2.0/24"}})
	if err != nil {
		t.Fatal(err)
	}
	o := schema.Options{Database: l.Name, Trunks: trunks}
	exec(t, l.DB, schema.Trunks.CreateSQL(o))
	exec(t, l.DB, `INSERT INTO call_rows (tenant, correlation_id, start, last_seen, method, opened, outcome, final_status, src_ip, dst_ip)
		SELECT 'a', toString(number), toDateTime('2026-11-20 10:00:30', 'UTC') AS at, at, 'INVITE', 1, 'failed', 404,
			if(number = 0, toIPv6('192.0.2.9'), IPv4ToIPv6(toUInt32(2886729728 + intDiv(number, 2)))), toIPv6('10.0.0.1') FROM numbers(1400)`)
	for range 2 { // computing again changes nothing
		exec(t, l.DB, schema.CallRollup.FillSQL(o, "start >= toDateTime('2026-11-20 10:00:00', 'UTC') AND start < toDateTime('2026-11-20 10:01:00', 'UTC')", "bucket = toDateTime('2026-11-20 10:00:00', 'UTC')", 1))
	}
	var values uint64
	var carrier float64
	if err := l.DB.QueryRow(t.Context(), "SELECT countIf(attempts > 0), sumIf(attempts, value = '192.0.2.9') FROM kpi_1m FINAL WHERE dim = 'src_ip'").Scan(&values, &carrier); err != nil {
		t.Fatal(err)
	}
	if values != 500 || carrier != 1 {
		t.Errorf("%d addresses, %v calls of the trunk; should be 500 and 1", values, carrier)
	}
}
