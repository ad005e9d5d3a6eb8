package query

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Alias names what an address belongs to: a host, a port of it, or a network.
// Addresses of the same name are one participant of a ladder.
type Alias struct {
	// Prefix is the network; of a single address it has all its bits.
	Prefix netip.Prefix
	// Port is the port meant, 0 for every one.
	Port uint16
	// Name is what the participant is called.
	Name string
}

// ParseAlias reads address=name, where address is an IP address, an address with
// a port (10.0.0.1:5060, [2001:db8::1]:5060) or a network (10.0.0.0/8).
func ParseAlias(s string) (Alias, error) {
	address, name, ok := strings.Cut(s, "=")
	a := Alias{Name: strings.TrimSpace(name)}
	address = strings.TrimSpace(address)
	if !ok || a.Name == "" {
		return Alias{}, fmt.Errorf("alias %q is not address=name", s)
	}
	if prefix, err := netip.ParsePrefix(address); err == nil {
		a.Prefix = prefix.Masked()
		if p := a.Prefix; p.Addr().Is4In6() && p.Bits() >= 96 {
			a.Prefix = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return a, nil
	}
	addr, err := netip.ParseAddr(strings.Trim(address, "[]"))
	if err != nil {
		addrPort, err := netip.ParseAddrPort(address)
		if err != nil {
			return Alias{}, fmt.Errorf("alias %q: %q is no address, no address:port and no network", s, address)
		}
		addr, a.Port = addrPort.Addr(), addrPort.Port()
	}
	addr = addr.Unmap()
	a.Prefix = netip.PrefixFrom(addr, addr.BitLen())
	return a, nil
}

// String writes the alias as ParseAlias reads it.
func (a Alias) String() string {
	switch {
	case !a.Prefix.IsSingleIP():
		return a.Prefix.String() + "=" + a.Name
	case a.Port != 0:
		return netip.AddrPortFrom(a.Prefix.Addr(), a.Port).String() + "=" + a.Name
	}
	return a.Prefix.Addr().String() + "=" + a.Name
}

// ParseAliases reads a list of aliases. An address that is named twice is an
// error.
func ParseAliases(list []string) ([]Alias, error) {
	var out []Alias
	seen := map[string]bool{}
	for _, s := range list {
		if strings.TrimSpace(s) == "" {
			continue
		}
		a, err := ParseAlias(s)
		if err != nil {
			return nil, err
		}
		key := a.Prefix.String() + " " + strconv.Itoa(int(a.Port))
		if seen[key] {
			return nil, fmt.Errorf("alias %q: the address has a name already", s)
		}
		seen[key] = true
		out = append(out, a)
	}
	return out, nil
}

// aliases are sorted so that the first that fits is the most exact.
type aliases []Alias

func newAliases(list []Alias) aliases {
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(a, b Alias) int {
		return cmp.Or(cmp.Compare(b.Prefix.Bits(), a.Prefix.Bits()), cmp.Compare(b.Port, a.Port))
	})
	return out
}

// AliasOf is the name that the most exact of the aliases gives an address; "" when
// none does.
func AliasOf(list []Alias, ip netip.Addr, port uint16) string { return newAliases(list).name(ip, port) }

// name is what an address is called; "" when it has no name.
func (a aliases) name(ip netip.Addr, port uint16) string {
	if !ip.IsValid() {
		return ""
	}
	for _, one := range a {
		if one.Prefix.Contains(ip) && (one.Port == 0 || one.Port == port) {
			return one.Name
		}
	}
	return ""
}
