package gen

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
)

// world is who takes part: the same for every seed, so that runs differ in
// traffic and not in scenery.
type world struct {
	users   []party
	trunks  []party
	b2buas  []party
	proxies []party // by agent
}

// party is one end of a hop.
type party struct {
	number string // of users
	domain string
	name   string // display name of users, node name of proxies
	host   string // address as text
	ip     netip.Addr
	port   uint16
	portS  string
	agent  string // User-Agent or Server
}

const (
	users  = 20_000
	trunks = 64
	b2buas = 4
)

// What stands for one thing is mostly as long as the others of its kind: names,
// addresses, and user agents, of which there are two lengths. Messages of one
// kind have few lengths then, and many of them can be sent as one (see grouper).
var userAgents = []string{
	"Yealink SIP-T46U 108.86.0.20", "snomD715/10.1.184.15", "Yealink SIP-T54W 96.86.0.100", "snomD785/10.1.169.16", "PolyVVX-VVX_411-UA/6.4.4.101",
	"Cisco/SPA504G-7.6.2c", "PolyEdge-Edge_B30-UA/8.1.3.1", "Fanvil X6U 2.12.16.2", "Grandstream GRP2612 1.0.9.63", "Zoiper rv2.10.13-mod",
	"Cisco-CP-8841-3PCC/12.0.3SR1", "Bria 6 release 6.5.2", "AVM FRITZ!Box 7590 154.07.57", "Asterisk PBX 18.24.3", "Gigaset N670 IP PRO/83.53.00",
	"FPBX-16.0.40(20.9.3)", "LinphoneAndroid/5.2.5 (Edge)", "Mitel-6920 6.3.3.110", "3CX Phone System 18.0.10.884", "Telephone 1.6.3-2041",
}

var trunkAgents = []string{"Sippy Softswitch 5.2", "AudioCodes SBC/v.7.40A.500.3", "Oracle SBC/SCZ9.3.0p", "Ribbon SBC SWe/V12.1", "Asterisk PBX 20.10.0", "FreeSWITCH-mod_sofia/1.10.12"}

var (
	firstNames = []string{"Alina", "Bernd", "Clara", "David", "Elena", "Felix", "Greta", "Heidi", "Jonas", "Karla", "Lukas", "Marie", "Nadja", "Peter", "Simon", "Tanja"}
	lastNames  = []string{"Becker", "Conrad", "Dreyer", "Engels", "Franke", "Gruber", "Hansen", "Jansen", "Keller", "Lorenz", "Maurer", "Neuner", "Peters", "Ritter", "Scholz", "Wagner"}
)

func (w *world) init(agents int) {
	rng := rand.New(rand.NewPCG(1, 2))
	w.users = make([]party, users)
	for i := range w.users {
		u := &w.users[i]
		u.number = fmt.Sprintf("+49%d%07d", 100+rng.IntN(800), rng.IntN(10_000_000))
		u.domain = fmt.Sprintf("pbx%02d.example.net", i%40)
		u.name = firstNames[rng.IntN(len(firstNames))] + " " + lastNames[rng.IntN(len(lastNames))]
		u.place(address(10, 116, i), 5060)
		u.agent = userAgents[i%len(userAgents)]
	}
	w.trunks = make([]party, trunks)
	for i := range w.trunks {
		t := &w.trunks[i]
		t.domain = fmt.Sprintf("gw%02d.carrier.example", i)
		t.place(netip.AddrFrom4([4]byte{198, 51, 100, byte(100 + i)}), 5060)
		t.agent = trunkAgents[i%len(trunkAgents)]
	}
	w.b2buas = make([]party, b2buas)
	for i := range w.b2buas {
		b := &w.b2buas[i]
		b.domain = "core.example.net"
		b.place(netip.AddrFrom4([4]byte{203, 0, 113, byte(110 + i)}), 5080)
		b.agent = "FreeSWITCH-mod_sofia/1.10.12-release~64bit"
	}
	w.proxies = make([]party, agents)
	for i := range w.proxies {
		p := &w.proxies[i]
		p.name = fmt.Sprintf("edge-%04d", i)
		p.place(address(100, 64, i), 5060)
	}
}

// address is the i-th address within a.b, of those whose text is longest.
func address(a, b byte, i int) netip.Addr {
	const longest = 256 - 100
	return netip.AddrFrom4([4]byte{a, b, byte(100 + i/longest), byte(100 + i%longest)})
}

func (p *party) place(ip netip.Addr, port uint16) {
	p.ip, p.host, p.port, p.portS = ip, ip.String(), port, strconv.Itoa(int(port))
}

// anyUser picks a user; some call much more than others.
func (w *world) anyUser(rng *rand.Rand) int32 {
	f := rng.Float64()
	return int32(f * f * users)
}
