package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"strconv"
	"strings"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/filter"
)

// mapping is what Homer's clients build their search form of: the fields of one
// kind of record. What they would use to make tables is empty: they make none here.
type mapping struct {
	GUID               string         `json:"guid"`
	Profile            string         `json:"profile"`
	HEPID              int            `json:"hepid"`
	HEPAlias           string         `json:"hep_alias"`
	PartID             int            `json:"partid"`
	Version            int            `json:"version"`
	Retention          int            `json:"retention"`
	PartitionStep      int            `json:"partition_step"`
	CreateIndex        struct{}       `json:"create_index"`
	CreateTable        string         `json:"create_table"`
	CorrelationMapping []struct{}     `json:"correlation_mapping"`
	FieldsMapping      []mappingField `json:"fields_mapping"`
	FieldsSettings     struct{}       `json:"fields_settings"`
	SchemaMapping      struct{}       `json:"schema_mapping"`
	SchemaSettings     struct{}       `json:"schema_settings"`
}

// mappingField is a field of the form.
type mappingField struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Type     string `json:"type"`
	Index    string `json:"index"`
	FormType string `json:"form_type"`
	Position int    `json:"position"`
	Hide     bool   `json:"hide"`
}

// homerNames are Homer's names of fields that it calls otherwise.
var homerNames = map[string]string{
	"call_id": "data_header.callid", "correlation_id": "protocol_header.correlation_id", "src_ip": "protocol_header.srcIp", "src_port": "protocol_header.srcPort",
	"dst_ip": "protocol_header.dstIp", "dst_port": "protocol_header.dstPort", "transport": "protocol_header.protocol", "capture_id": "protocol_header.captureId",
	"raw": "raw", "node": "node", "pai_user": "data_header.pid_user",
}

func homerName(field string) string {
	if name, ok := homerNames[field]; ok {
		return name
	}
	return "data_header." + field
}

// mappings are those of every profile.
func mappings() []mapping {
	var out []mapping
	for _, key := range sortedKeys(profiles) {
		hepID, profile, _ := strings.Cut(key, "_")
		n, _ := strconv.Atoi(hepID)
		m := mapping{
			GUID: fmt.Sprintf("00000000-0000-5000-8000-%012x", rowID(key)&0xffffffffffff), Profile: profile, HEPID: n, HEPAlias: "SIP", PartID: 10, Version: 1, Retention: 0, PartitionStep: 0,
			CorrelationMapping: []struct{}{},
		}
		for i, f := range filter.Messages.Fields() {
			field := mappingField{ID: homerName(f.Name), Name: f.Name, Type: "string", Index: "none", FormType: "input", Position: i + 1}
			if f.Type == filter.Number {
				field.Type = "integer"
			}
			m.FieldsMapping = append(m.FieldsMapping, field)
		}
		out = append(out, m)
	}
	return out
}

// counted is a list as Homer's configuration routes give it.
type counted[T any] struct {
	Count int `json:"count"`
	Data  []T `json:"data"`
}

// noParams refuses query parameters on routes that take none.
func noParams(r *http.Request) error { return newParams(r.URL, zeroTime).check() }

func (s *server) homerMappings(w http.ResponseWriter, r *http.Request) error {
	if err := noParams(r); err != nil {
		return homerProblem(err)
	}
	all := mappings()
	return writeJSON(w, jsonType, http.StatusOK, counted[mapping]{len(all), all})
}

// profileOfPath finds the profile that a path names.
func profileOfPath(r *http.Request) (mapping, error) {
	key := r.PathValue("hepid") + "_" + r.PathValue("profile")
	for _, m := range mappings() {
		if key == strconv.Itoa(m.HEPID)+"_"+m.Profile {
			return m, nil
		}
	}
	return mapping{}, &problem{Status: http.StatusNotFound, kind: "not-found", Detail: fmt.Sprintf("there is no profile %q; there are %s", key, strings.Join(sortedKeys(profiles), ", "))}
}

func (s *server) homerMapping(w http.ResponseWriter, r *http.Request) error {
	if err := noParams(r); err != nil {
		return homerProblem(err)
	}
	m, err := profileOfPath(r)
	if err != nil {
		return homerProblem(err)
	}
	return writeJSON(w, jsonType, http.StatusOK, counted[mapping]{1, []mapping{m}})
}

// tag is a name for the smart input, and the field it stands for.
type tag struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type tagList struct {
	Data []tag `json:"data"`
}

// tagAnswer is nested as Homer nests it.
type tagAnswer struct {
	Data tagList `json:"data"`
}

func (s *server) homerTags(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r.URL, zeroTime)
	_ = p.text("query") // what was typed so far; clients choose among all names themselves
	if err := p.check(); err != nil {
		return homerProblem(err)
	}
	m, err := profileOfPath(r)
	if err != nil {
		return homerProblem(err)
	}
	var out tagAnswer
	for _, f := range m.FieldsMapping {
		name := strings.Replace(strings.Replace(f.ID, "data_header.", "sip.", 1), "protocol_header.", "net.", 1)
		out.Data.Data = append(out.Data.Data, tag{name, f.ID})
	}
	return writeJSON(w, jsonType, http.StatusOK, out)
}

// aliasRow is a name of an address in Homer's shape.
type aliasRow struct {
	ID        int    `json:"id"`
	GUID      string `json:"guid"`
	Alias     string `json:"alias"`
	IP        string `json:"ip"`
	Port      uint16 `json:"port"`
	Mask      int    `json:"mask"`
	CaptureID string `json:"captureID"`
	Status    bool   `json:"status"`
}

type aliasAnswer struct {
	Data []aliasRow `json:"data"`
}

func (s *server) homerAliases(w http.ResponseWriter, r *http.Request) error {
	if err := noParams(r); err != nil {
		return homerProblem(err)
	}
	out := aliasAnswer{Data: []aliasRow{}}
	for i, a := range s.aliases {
		out.Data = append(out.Data, aliasRow{
			ID: i + 1, GUID: fmt.Sprintf("00000000-0000-5000-8000-%012x", rowID(a.String())&0xffffffffffff), Alias: a.Name,
			IP: a.Prefix.Addr().String(), Port: a.Port, Mask: a.Prefix.Bits(), CaptureID: "0", Status: true,
		})
	}
	return writeJSON(w, jsonType, http.StatusCreated, out)
}

// alias is an address as Homer's clients show it: its name, else itself.
func (s *server) alias(ip netip.Addr, port uint16) string {
	if name := query.AliasOf(s.aliases, ip.Unmap(), port); name != "" {
		return name
	}
	return addrPort(ip, port)
}

// nodeName is a database that a client may choose.
type nodeName struct {
	Value string `json:"value"`
	Name  string `json:"name"`
}

func (s *server) homerNodes(w http.ResponseWriter, r *http.Request) error {
	if err := noParams(r); err != nil {
		return homerProblem(err)
	}
	return writeJSON(w, jsonType, http.StatusOK, counted[nodeName]{1, []nodeName{{dbNode, "LocalNode"}}})
}

// lokiStatus says whether logs are to be found in Loki.
type lokiStatus struct {
	Enable      bool   `json:"enable"`
	ExternalURL string `json:"external_url"`
	Template    string `json:"template"`
}

type modulesData struct {
	Loki lokiStatus `json:"loki"`
}

type modulesAnswer struct {
	Data    modulesData `json:"data"`
	Message string      `json:"message"`
}

func (s *server) homerModules(w http.ResponseWriter, r *http.Request) error {
	if err := noParams(r); err != nil {
		return homerProblem(err)
	}
	return writeJSON(w, jsonType, http.StatusOK, modulesAnswer{Message: "Modules status"})
}

// The names of rows' members, in order.
var (
	messageRowKeys   = jsonNames(reflect.TypeFor[messageRow]())
	wholeMessageKeys = jsonNames(reflect.TypeFor[wholeMessage]())
)
