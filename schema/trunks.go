package schema

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Trunk gives a network, or a single address, the name of the carrier or site that
// is behind it. Tables hold addresses; names are given to them when they are read,
// so that a new name holds for what is stored as well.
type Trunk struct {
	Name   string
	Prefix netip.Prefix
}

// ParseTrunks reads addresses and networks by name. The result is sorted so that
// the first one that an address is in names it: the smallest network.
func ParseTrunks(byName map[string][]string) ([]Trunk, error) {
	var out []Trunk
	taken := map[netip.Prefix]string{}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if strings.TrimSpace(name) == "" || len(byName[name]) == 0 {
			return nil, fmt.Errorf("trunk %q has no name, or no addresses", name)
		}
		for _, text := range byName[name] {
			text = strings.TrimSpace(text)
			p, err := netip.ParsePrefix(text)
			if err != nil {
				a, err := netip.ParseAddr(text)
				if err != nil {
					return nil, fmt.Errorf("trunk %s: %q is no address and no network", name, text)
				}
				p = netip.PrefixFrom(a.WithZone(""), a.BitLen())
			}
			if p.Addr().Is4In6() && p.Bits() >= 96 {
				p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
			}
			p = p.Masked()
			if other, ok := taken[p]; ok {
				return nil, fmt.Errorf("trunk %s: %s belongs to trunk %s already", name, p, other)
			}
			taken[p] = name
			out = append(out, Trunk{name, p})
		}
	}
	slices.SortStableFunc(out, func(a, b Trunk) int { return cmp.Compare(b.bits(), a.bits()) })
	return out, nil
}

// bits is the length of the prefix among IPv6 addresses, IPv4 being mapped.
func (t Trunk) bits() int {
	if t.Prefix.Addr().Is4() {
		return t.Prefix.Bits() + 96
	}
	return t.Prefix.Bits()
}

// ends are the lowest and the highest address of the trunk, IPv4 mapped.
func (t Trunk) ends() (first, last netip.Addr) {
	low, high := t.Prefix.Addr().As16(), t.Prefix.Addr().As16()
	for i := t.bits(); i < 128; i++ {
		high[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom16(low), netip.AddrFrom16(high)
}

// TrunkOf is the name of the trunk that an address belongs to, "" when none.
func TrunkOf(list []Trunk, ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	mapped := netip.AddrFrom16(ip.As16())
	for _, t := range list {
		if first, last := t.ends(); !mapped.Less(first) && !last.Less(mapped) {
			return t.Name
		}
	}
	return ""
}

// trunksSQL is the array of the trunks as SQL, in order.
func (o Options) trunksSQL() string {
	parts := make([]string, len(o.Trunks))
	for i, t := range o.Trunks {
		first, last := t.ends()
		parts[i] = "(" + Quote(t.Name) + ", toIPv6(" + Quote(first.String()) + "), toIPv6(" + Quote(last.String()) + "), " + Quote(t.Prefix.String()) + ")"
	}
	return "CAST([" + strings.Join(parts, ", ") + "], 'Array(Tuple(String, IPv6, IPv6, String))')"
}

// TrunkSQL is the name of the trunk that an address belongs to, as SQL: of what
// the view trunks has, by its name in a query.
func TrunkSQL(ip, view string) string {
	return trunkSQL(ip, "(SELECT groupArray((name, first, last)) FROM "+view+")")
}

func trunkSQL(ip, list string) string {
	return "arrayFirst(t -> " + ip + " >= t.2 AND " + ip + " <= t.3, " + list + ").1"
}

// Trunks has the networks that have a name.
var Trunks = View{
	Name: "trunks",
	Doc:  "Networks that the setting trunks names, the smallest first: the first that an address is in names it.",
	Columns: []Column{
		{Name: "name", Kind: Text, Doc: "Name of the trunk."},
		{Name: "network", Kind: Text, Doc: "The network, or address with all its bits."},
		{Name: "first", Kind: Addr, Type: "IPv6", Doc: "Its lowest address."},
		{Name: "last", Kind: Addr, Type: "IPv6", Doc: "Its highest address."},
	},
	query: func(o Options) string {
		return "SELECT t.1 AS name, t.4 AS network, t.2 AS first, t.3 AS last\nFROM (SELECT arrayJoin(" + o.trunksSQL() + ") AS t)"
	},
}

// trunkView has the KPIs of the addresses that belong to trunks, of one resolution.
// It has a row for each address, and not the sums of a trunk: on a cluster those
// of several addresses may be on several shards.
func trunkView(name, doc string, place int, time string) *View {
	columns := slices.DeleteFunc(kpiColumns(&CallRollup, time, CallRatios), func(c viewColumn) bool { return c.Name == "dim" || c.Name == "value" })
	at := slices.IndexFunc(columns, func(c viewColumn) bool { return c.Name == "tenant" }) + 1
	columns = slices.Insert(columns, at,
		viewColumn{Column{Name: "trunk", Kind: Text, Doc: "Name of the trunk."}, "/*trunk*/"},
		computed("direction", Text, "in: calls that came from the trunk; out: calls that went to it.", "if(r.dim = 'src_ip', 'in', 'out')"),
		computed("address", Text, "The address of it that they came from or went to.", "r.value"))
	v := analystView(name, doc, columns, func(o Options) string {
		return o.table(CallRollup.TableName(Resolutions[place])) + " AS r FINAL WHERE r.dim IN ('src_ip', 'dst_ip') AND trunk != ''"
	})
	query := v.query
	v.query = func(o Options) string {
		return strings.Replace(query(o), "/*trunk*/", trunkSQL("toIPv6OrDefault(r.value)", o.trunksSQL()), 1)
	}
	return v
}

// The KPIs of trunks.
var (
	TrunkHourly = trunkView("trunk_hourly", "KPIs of calls by hour, tenant, trunk, direction and address.", 1, "hour")
	TrunkDaily  = trunkView("trunk_daily", "KPIs of calls by day, tenant, trunk, direction and address.", 2, "day")
)
