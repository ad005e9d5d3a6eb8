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

var userAgents = []string{
	"Yealink SIP-T46U 108.86.0.20", "Yealink SIP-T54W 96.86.0.70", "snom715/8.9.3.80", "snomD785/10.1.169.16", "PolycomVVX-VVX_411-UA/6.4.4.1018",
	"PolyEdge-Edge_E350-UA/8.2.0.2", "Grandstream GXP2170 1.0.11.79", "Cisco/SPA525G2-7.6.2c", "Cisco-CP-8841-3PCC/12.0.3", "AVM FRITZ!Box 7590 154.07.57",
	"Gigaset N510 IP PRO/42.258", "Fanvil X6U 2.12.16", "Zoiper v2.10.19", "Linphone Desktop/5.2.4 (Debian) LinphoneCore/5.3.29", "MicroSIP/3.21.5",
	"Bria 6 release 6.5.2", "Asterisk PBX 18.24.3", "FPBX-16.0.40(20.9.3)", "3CX Phone System 20.0.3.884", "Mitel Border GW/11.5.1.10",
}

var trunkAgents = []string{"Sippy Softswitch 2024", "AudioCodes Mediant VE/v.7.40A.500", "Oracle SBC/9.3.0", "Ribbon SBC SWe/12.1", "Asterisk PBX 20.9.3", "FreeSWITCH-mod_sofia/1.10.12"}

var (
	firstNames = []string{"Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Karla", "Leon", "Mia", "Noah", "Olga", "Paul"}
	lastNames  = []string{"Adler", "Bauer", "Conrad", "Dietz", "Engel", "Fischer", "Gruber", "Huber", "Jansen", "Keller", "Lang", "Maier", "Neumann", "Otto", "Peters", "Roth"}
)

func (w *world) init(agents int) {
	rng := rand.New(rand.NewPCG(1, 2))
	w.users = make([]party, users)
	for i := range w.users {
		u := &w.users[i]
		u.number = fmt.Sprintf("+49%d%07d", 30+rng.IntN(900), rng.IntN(10_000_000))
		u.domain = fmt.Sprintf("pbx%02d.example.net", i%40)
		u.name = firstNames[rng.IntN(len(firstNames))] + " " + lastNames[rng.IntN(len(lastNames))]
		u.place(netip.AddrFrom4([4]byte{10, byte(16 + i>>16), byte(i >> 8), byte(i)}), 5060)
		u.agent = userAgents[i%len(userAgents)]
	}
	w.trunks = make([]party, trunks)
	for i := range w.trunks {
		t := &w.trunks[i]
		t.domain = fmt.Sprintf("gw%02d.carrier.example", i)
		t.place(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 5060)
		t.agent = trunkAgents[i%len(trunkAgents)]
	}
	w.b2buas = make([]party, b2buas)
	for i := range w.b2buas {
		b := &w.b2buas[i]
		b.domain = "core.example.net"
		b.place(netip.AddrFrom4([4]byte{203, 0, 113, byte(10 + i)}), 5080)
		b.agent = "FreeSWITCH-mod_sofia/1.10.12-release~64bit"
	}
	w.proxies = make([]party, agents)
	for i := range w.proxies {
		p := &w.proxies[i]
		p.name = fmt.Sprintf("edge-%04d", i)
		p.place(netip.AddrFrom4([4]byte{100, 64, byte(i >> 8), byte(i)}), 5060)
	}
}

func (p *party) place(ip netip.Addr, port uint16) {
	p.ip, p.host, p.port, p.portS = ip, ip.String(), port, strconv.Itoa(int(port))
}

// anyUser picks a user; some call much more than others.
func (w *world) anyUser(rng *rand.Rand) int32 {
	f := rng.Float64()
	return int32(f * f * users)
}
