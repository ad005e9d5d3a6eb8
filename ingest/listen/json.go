package listen

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/internal/agent/hepjson"
)

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
		h, err := hepjson.Parse(raw)
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
