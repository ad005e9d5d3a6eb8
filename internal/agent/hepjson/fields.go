// Package hepjson is the JSON form of HEP packets that hep-js made known:
//
//	{"rcinfo":{"srcIp":"10.0.0.1","srcPort":5060,…},"payload":"INVITE …"}
//
// `heplake decode` prints it and the HTTP listener takes it. The fields of
// rcinfo, each absent when the packet has no such chunk (payloadType excepted):
// protocolFamily protocol srcIp dstIp srcPort dstPort timeSeconds timeUseconds
// payloadType captureId keepAlive capturePass correlation_id vlan hepNodeName
// srcMac dstMac etherType tcpFlags tos mos rFactor geo jitter transactionType
// payloadKeys tagValues tagType eventType groupId, and chunks: an array of
// {vendor, type, data} with what has no field, such as vendor chunks, data in
// base64. Octets that are no UTF-8 have _base64 behind their name.
package hepjson

import (
	"net/netip"

	"github.com/heplake/heplake/ingest/hep"
)

// A number is a chunk that holds an integer.
type number struct {
	name  string
	chunk uint16
	bits  int
	get   func(*hep.Packet) uint64
	set   func(*hep.Packet, uint64)
}

func field[T uint8 | uint16 | uint32](name string, chunk uint16, bits int, at func(*hep.Packet) *T) number {
	return number{name, chunk, bits,
		func(p *hep.Packet) uint64 { return uint64(*at(p)) },
		func(p *hep.Packet, v uint64) { *at(p) = T(v) }}
}

const usPerSecond = 1_000_000

// numbers are the integer chunks, in the order they are printed.
var numbers = []number{
	field("protocolFamily", hep.ChunkFamily, 8, func(p *hep.Packet) *uint8 { return &p.Family }),
	field("protocol", hep.ChunkProtocol, 8, func(p *hep.Packet) *uint8 { return &p.Protocol }),
	field("srcPort", hep.ChunkSrcPort, 16, func(p *hep.Packet) *uint16 { return &p.SrcPort }),
	field("dstPort", hep.ChunkDstPort, 16, func(p *hep.Packet) *uint16 { return &p.DstPort }),
	{"timeSeconds", hep.ChunkSeconds, 32,
		func(p *hep.Packet) uint64 { return uint64(p.Time / usPerSecond) },
		func(p *hep.Packet, v uint64) { p.Time += int64(v) * usPerSecond }},
	{"timeUseconds", hep.ChunkMicroseconds, 32,
		func(p *hep.Packet) uint64 { return uint64(p.Time % usPerSecond) },
		func(p *hep.Packet, v uint64) { p.Time += int64(v) }},
	field("payloadType", hep.ChunkType, 16, func(p *hep.Packet) *uint16 { return &p.Type }),
	field("captureId", hep.ChunkCaptureID, 32, func(p *hep.Packet) *uint32 { return &p.CaptureID }),
	field("keepAlive", hep.ChunkKeepAlive, 16, func(p *hep.Packet) *uint16 { return &p.KeepAlive }),
	field("vlan", hep.ChunkVLAN, 16, func(p *hep.Packet) *uint16 { return &p.VLAN }),
	field("etherType", hep.ChunkEtherType, 16, func(p *hep.Packet) *uint16 { return &p.EtherType }),
	field("tcpFlags", hep.ChunkTCPFlags, 8, func(p *hep.Packet) *uint8 { return &p.TCPFlags }),
	field("tos", hep.ChunkTOS, 8, func(p *hep.Packet) *uint8 { return &p.TOS }),
	field("mos", hep.ChunkMOS, 16, func(p *hep.Packet) *uint16 { return &p.MOS }),
	field("rFactor", hep.ChunkRFactor, 16, func(p *hep.Packet) *uint16 { return &p.RFactor }),
	field("jitter", hep.ChunkJitter, 32, func(p *hep.Packet) *uint32 { return &p.Jitter }),
	field("tagType", hep.ChunkTagType, 16, func(p *hep.Packet) *uint16 { return &p.TagType }),
	field("eventType", hep.ChunkEventType, 16, func(p *hep.Packet) *uint16 { return &p.EventType }),
}

// An octets is a chunk that holds text, mostly.
type octets struct {
	name  string
	chunk uint16
	at    func(*hep.Packet) *[]byte
}

var texts = []octets{
	{"capturePass", hep.ChunkAuthKey, func(p *hep.Packet) *[]byte { return &p.AuthKey }},
	{"correlation_id", hep.ChunkCorrelationID, func(p *hep.Packet) *[]byte { return &p.CorrelationID }},
	{"hepNodeName", hep.ChunkNodeName, func(p *hep.Packet) *[]byte { return &p.NodeName }},
	{"geo", hep.ChunkGeo, func(p *hep.Packet) *[]byte { return &p.Geo }},
	{"transactionType", hep.ChunkTransactionType, func(p *hep.Packet) *[]byte { return &p.TransactionType }},
	{"payloadKeys", hep.ChunkPayloadKeys, func(p *hep.Packet) *[]byte { return &p.PayloadKeys }},
	{"tagValues", hep.ChunkTagValues, func(p *hep.Packet) *[]byte { return &p.TagValues }},
	{"groupId", hep.ChunkGroupID, func(p *hep.Packet) *[]byte { return &p.GroupID }},
}

// An address is a pair of chunks, one for each family.
type address struct {
	name string
	at   func(*hep.Packet) *netip.Addr
}

var addresses = []address{
	{"srcIp", func(p *hep.Packet) *netip.Addr { return &p.Src }},
	{"dstIp", func(p *hep.Packet) *netip.Addr { return &p.Dst }},
}

type mac struct {
	name  string
	chunk uint16
	at    func(*hep.Packet) *[6]byte
}

var macs = []mac{
	{"srcMac", hep.ChunkSrcMAC, func(p *hep.Packet) *[6]byte { return &p.SrcMAC }},
	{"dstMac", hep.ChunkDstMAC, func(p *hep.Packet) *[6]byte { return &p.DstMAC }},
}

// chunk is one that has no field, in JSON.
type chunk struct {
	Vendor uint16 `json:"vendor"`
	Type   uint16 `json:"type"`
	Data   []byte `json:"data"`
}

// base64Suffix marks the name of octets that are no UTF-8.
const base64Suffix = "_base64"
