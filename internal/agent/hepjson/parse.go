package hepjson

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/heplake/heplake/ingest/hep"
)

var errNoPayload = errors.New("neither rcinfo nor payload")

// Parse reads the JSON form of one packet. Numbers may be strings. A payload
// that is no string, but JSON, is taken as it stands. Fields of rcinfo that HEP
// has no chunk for go along as JSON in the tag values chunk, or, where the
// packet has one, in a further one; conversationId names the call where
// correlation_id does not.
func Parse(raw []byte) (*hep.Packet, error) {
	var m struct {
		Info    map[string]json.RawMessage `json:"rcinfo"`
		Payload json.RawMessage            `json:"payload"`
		Bytes   []byte                     `json:"payload_base64"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, err
	}
	if m.Info == nil || len(m.Payload) == 0 && m.Bytes == nil {
		return nil, errNoPayload
	}
	p := &hep.Packet{Type: hep.TypeSIP, Payload: m.Payload}
	if s, ok := text(m.Payload); ok {
		p.Payload = []byte(s)
	} else if m.Bytes != nil {
		p.Payload = m.Bytes
	}
	rest := map[string]json.RawMessage{}
	for name, value := range m.Info {
		known, err := set(p, name, value)
		if err != nil {
			return nil, fmt.Errorf("rcinfo.%s: %w", name, err)
		}
		if !known {
			rest[name] = value
		}
	}
	if len(p.CorrelationID) == 0 {
		if s, ok := text(rest["conversationId"]); ok {
			p.CorrelationID = []byte(s)
		}
	}
	if len(rest) > 0 {
		tags, _ := json.Marshal(rest) // was JSON a moment ago
		if p.TagValues == nil {
			p.TagValues = tags
		} else {
			p.Extra = append(p.Extra, hep.Chunk{Type: hep.ChunkTagValues, Data: tags})
		}
	}
	return p, nil
}

// alias are other names that senders use.
var alias = map[string]string{"proto_type": "payloadType"}

// set puts a field into the packet. known is false for one that HEP has no
// chunk for.
func set(p *hep.Packet, name string, value json.RawMessage) (known bool, err error) {
	if a := alias[name]; a != "" {
		name = a
	}
	for i := range numbers {
		if f := &numbers[i]; f.name == name {
			s, ok := text(value)
			if !ok {
				s = string(value)
			}
			v, err := strconv.ParseUint(s, 10, f.bits)
			if err != nil {
				return true, err
			}
			f.set(p, v)
			p.Has = p.Has.With(f.chunk)
			return true, nil
		}
	}
	for _, t := range texts {
		bare, encoded := strings.CutSuffix(name, base64Suffix)
		if t.name != bare {
			continue
		}
		s, ok := text(value)
		if !ok {
			return true, errors.New("takes a string")
		}
		b := []byte(s)
		if encoded {
			if b, err = base64.StdEncoding.DecodeString(s); err != nil {
				return true, err
			}
		}
		*t.at(p) = b
		p.Has = p.Has.With(t.chunk)
		return true, nil
	}
	for _, a := range addresses {
		if a.name == name {
			s, _ := text(value)
			ip, err := netip.ParseAddr(s)
			*a.at(p) = ip.Unmap()
			return true, err
		}
	}
	for _, m := range macs {
		if m.name != name {
			continue
		}
		s, _ := text(value)
		hw, err := net.ParseMAC(s)
		if err == nil && len(hw) != 6 {
			err = fmt.Errorf("%q has not the 6 bytes of a MAC address", s)
		}
		copy(m.at(p)[:], hw)
		p.Has = p.Has.With(m.chunk)
		return true, err
	}
	if name != "chunks" {
		return false, nil
	}
	var list []chunk
	if err := json.Unmarshal(value, &list); err != nil {
		return true, err
	}
	for _, c := range list {
		p.Extra = append(p.Extra, hep.Chunk(c))
	}
	return true, nil
}

// text is a JSON string's value.
func text(raw json.RawMessage) (s string, ok bool) {
	ok = len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil
	return s, ok
}
