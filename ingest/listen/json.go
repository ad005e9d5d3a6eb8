package listen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"

	"github.com/heplake/heplake/ingest/hep"
)

// A message in the JSON form of hep-js: what it prints of a HEP packet, and
// what people send on over HTTP.
type jsonMessage struct {
	Info    map[string]json.RawMessage `json:"rcinfo"`
	Payload json.RawMessage            `json:"payload"`
}

// splitJSON finds the messages of a body that holds one, an array of them, or
// one a line, and writes each as HEP. A faulty one is a packet with a fault;
// those behind a syntax error are lost with it.
func splitJSON(data []byte, from netip.AddrPort) []Packet {
	bad := func(raw []byte) Packet { return Packet{Data: raw, From: from, Fault: "bad_json"} }
	var raws []json.RawMessage
	var packets []Packet
	if bytes.TrimLeft(data, " \t\r\n")[0] == '[' {
		if err := json.Unmarshal(data, &raws); err != nil {
			return []Packet{bad(data)}
		}
	} else {
		for dec := json.NewDecoder(bytes.NewReader(data)); ; {
			var raw json.RawMessage
			err := dec.Decode(&raw)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				packets = append(packets, bad(data[dec.InputOffset():]))
				break
			}
			raws = append(raws, raw)
		}
	}
	for _, raw := range raws {
		h, err := hepOfJSON(raw)
		if err != nil {
			packets = append(packets, bad(raw))
			continue
		}
		data := hep.Append(nil, h)
		if len(data) == 0 { // longer than HEP can be
			packets = append(packets, bad(raw))
			continue
		}
		packets = append(packets, Packet{Data: data, From: from})
	}
	if len(packets) == 0 {
		packets = append(packets, bad(data))
	}
	return packets
}

var errNoPayload = errors.New("no payload")

// hepOfJSON is the packet that a message describes. Fields of rcinfo that HEP
// has no chunk for go along as JSON in the tag values chunk.
func hepOfJSON(raw []byte) (*hep.Packet, error) {
	var m jsonMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, err
	}
	if len(m.Payload) == 0 || m.Info == nil {
		return nil, errNoPayload
	}
	h := &hep.Packet{Type: hep.TypeSIP, Payload: m.Payload}
	if s, ok := text(m.Payload); ok {
		h.Payload = []byte(s)
	}
	var sec, usec int64
	rest := map[string]json.RawMessage{}
	for name, value := range m.Info {
		if err := setInfo(h, name, value, &sec, &usec, rest); err != nil {
			return nil, fmt.Errorf("rcinfo.%s: %w", name, err)
		}
	}
	h.Time = sec*1_000_000 + usec
	if len(h.CorrelationID) == 0 {
		if s, ok := text(rest["conversationId"]); ok {
			h.CorrelationID = []byte(s)
		}
	}
	if len(rest) > 0 {
		h.TagValues, _ = json.Marshal(rest) // was JSON a moment ago
	}
	return h, nil
}

func setInfo(h *hep.Packet, name string, value json.RawMessage, sec, usec *int64, rest map[string]json.RawMessage) (err error) {
	number := func(bits int) (n uint64) {
		s, ok := text(value)
		if !ok {
			s = string(value)
		}
		n, err = strconv.ParseUint(s, 10, bits)
		return n
	}
	addr := func() (a netip.Addr) {
		s, _ := text(value)
		a, err = netip.ParseAddr(s)
		return a.Unmap()
	}
	switch name {
	case "protocolFamily":
		h.Family = uint8(number(8))
	case "protocol":
		h.Protocol = uint8(number(8))
	case "srcIp":
		h.Src = addr()
	case "dstIp":
		h.Dst = addr()
	case "srcPort":
		h.SrcPort = uint16(number(16))
	case "dstPort":
		h.DstPort = uint16(number(16))
	case "timeSeconds":
		*sec = int64(number(32))
	case "timeUseconds":
		*usec = int64(number(32))
	case "payloadType", "proto_type":
		h.Type = uint16(number(8))
	case "captureId":
		h.CaptureID = uint32(number(32))
	case "capturePass":
		s, _ := text(value)
		h.AuthKey = []byte(s)
	case "hepNodeName":
		s, _ := text(value)
		h.NodeName = []byte(s)
	case "correlation_id":
		s, _ := text(value)
		h.CorrelationID = []byte(s)
	case "mos":
		h.MOS = uint16(number(16))
	default:
		rest[name] = value
	}
	return err
}

// text is a JSON string's value.
func text(raw json.RawMessage) (s string, ok bool) {
	ok = len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil
	return s, ok
}
