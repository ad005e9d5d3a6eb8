package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/heplake/heplake/query"
)

// report is a quality report or a log line in Homer's shape.
type report struct {
	ID            uint64   `json:"id"`
	SID           string   `json:"sid"`
	CorrelationID string   `json:"correlation_id"`
	Profile       string   `json:"profile"`
	Proto         string   `json:"proto"`
	PayloadType   int      `json:"payloadType"`
	Protocol      int      `json:"protocol"`
	Family        int      `json:"protocolFamily"`
	SrcIP         string   `json:"srcIp"`
	SrcPort       uint16   `json:"srcPort"`
	DstIP         string   `json:"dstIp"`
	DstPort       uint16   `json:"dstPort"`
	TimeSeconds   int64    `json:"timeSeconds"`
	TimeUseconds  int      `json:"timeUseconds"`
	CreateDate    string   `json:"create_date"`
	CaptureID     string   `json:"captureId"`
	Node          []string `json:"node"`
	DBNode        string   `json:"dbnode"`
	Raw           string   `json:"raw"`
}

// reportList is a list of them.
type reportList struct {
	Total int      `json:"total"`
	Data  []report `json:"data"`
}

// qosAnswer has RTCP apart from the reports of agents that measured RTP.
type qosAnswer struct {
	RTCP reportList `json:"rtcp"`
	RTP  reportList `json:"rtp"`
}

func newReport(item query.Item, proto string, payloadType int) report {
	id := strconv.FormatUint(uint64(item.CaptureID), 10)
	return report{
		ID: rowID(item.CallID, item.Time.Format(time.RFC3339Nano), item.SrcAddr.String(), item.DstAddr.String(), item.Raw), SID: item.CallID, CorrelationID: item.CallID,
		Proto: proto, PayloadType: payloadType, Protocol: ipProtocol(item.Transport), Family: family(item.SrcAddr.Addr()),
		SrcIP: address(item.SrcAddr.Addr()), SrcPort: item.SrcAddr.Port(), DstIP: address(item.DstAddr.Addr()), DstPort: item.DstAddr.Port(),
		TimeSeconds: item.Time.Unix(), TimeUseconds: item.Time.Nanosecond() / 1000, CreateDate: item.Time.Format(time.RFC3339Nano),
		CaptureID: id, Node: []string{id, dbNode}, DBNode: dbNode, Raw: item.Raw,
	}
}

// homerQOS answers POST /api/v3/call/report/qos.
func (s *server) homerQOS(w http.ResponseWriter, r *http.Request) error {
	flows, err := s.homerFlows(w, r)
	if err != nil {
		return homerProblem(err)
	}
	answer := qosAnswer{RTCP: reportList{Data: []report{}}, RTP: reportList{Data: []report{}}}
	for _, f := range flows {
		for _, item := range f.Items {
			if item.Kind != query.KindMedia || item.Raw == "" { // of several rows of one packet the first has it
				continue
			}
			if item.Media != nil && item.Media.Source != "rtcp" && item.Media.Source != "rtcp-xr" {
				answer.RTP.Data = append(answer.RTP.Data, newReport(item, "rtp", payloadRTPReport))
			} else {
				answer.RTCP.Data = append(answer.RTCP.Data, newReport(item, "rtcp", payloadRTCP))
			}
		}
	}
	answer.RTCP.Total, answer.RTP.Total = len(answer.RTCP.Data), len(answer.RTP.Data)
	return writeJSON(w, jsonType, http.StatusCreated, answer)
}

// homerLog answers POST /api/v3/call/report/log.
func (s *server) homerLog(w http.ResponseWriter, r *http.Request) error {
	flows, err := s.homerFlows(w, r)
	if err != nil {
		return homerProblem(err)
	}
	answer := reportList{Data: []report{}}
	for _, f := range flows {
		for _, item := range f.Items {
			if item.Kind == query.KindEvent {
				answer.Data = append(answer.Data, newReport(item, "log", payloadLog))
			}
		}
	}
	answer.Total = len(answer.Data)
	return writeJSON(w, jsonType, http.StatusCreated, answer)
}
