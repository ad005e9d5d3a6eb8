package ingest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/heplake/heplake/ingest"
	"github.com/heplake/heplake/ingest/hep"
)

// dialog is a call from a by way of b, and a registration: what is said, from
// where to where, how many µs after the first message.
func dialog(callID string) (out []struct {
	src, dst, text string
	us             int64
}) {
	add := func(src, dst string, us int64, start, cseq, more string) {
		if strings.HasSuffix(cseq, "REGISTER") {
			callID = "registration@lab.test"
		}
		out = append(out, struct {
			src, dst, text string
			us             int64
		}{src, dst, fmt.Sprintf("%s\r\nVia: SIP/2.0/UDP h;branch=z9\r\nFrom: <sip:x@lab.test>;tag=1\r\nTo: <sip:y@lab.test>;tag=2\r\nCall-ID: %s\r\nCSeq: %s\r\n%sContent-Length: 0\r\n\r\n", start, callID, cseq, more), us})
	}
	const c = "10.0.0.3:5060"
	add(a, b, 0, "INVITE sip:y@lab.test SIP/2.0", "1 INVITE", "")
	add(b, c, 1000, "INVITE sip:y@lab.test SIP/2.0", "1 INVITE", "")
	add(c, b, 30_000, "SIP/2.0 180 Ringing", "1 INVITE", "")
	add(b, a, 31_000, "SIP/2.0 180 Ringing", "1 INVITE", "")
	add(c, b, 50_000, "SIP/2.0 480 Gone", "1 INVITE", "Reason: Q.850;cause=19;text=\"no answer\"\r\n")
	add(b, a, 51_000, "SIP/2.0 480 Gone", "1 INVITE", "Reason: Q.850;cause=19;text=\"no answer\"\r\n")
	add(a, b, 60_000, "REGISTER sip:lab.test SIP/2.0", "1 REGISTER", "")
	add(b, a, 65_000, "SIP/2.0 200 OK", "1 REGISTER", "")
	add(a, b, 70_000, "FROBNICATE sip:y@lab.test SIP/2.0", "2 FROBNICATE", "")
	return out
}

// heplifyPage runs the dialogs and quality reports through a pipeline and
// returns the lines of heplify-server's metrics.
func heplifyPage(t *testing.T, targets map[netip.Addr]string) map[string]bool {
	t.Helper()
	l := open(t, func(c *ingest.Config) { c.Heplify, c.HeplifyTargets, c.Workers = true, targets, 1 })
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(l.Heplify())
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer server.Close()
	c := l.dial(t, "udp")
	now, sent := time.Now().UnixMicro(), 0
	put := func(typ uint16, src, dst string, us int64, payload string) {
		send(t, c, wrap(udp, typ, src, dst, now+us, []byte(payload)))
		sent++
	}
	for _, m := range dialog("heplify@lab.test") {
		put(hep.TypeSIP, m.src, m.dst, m.us, m.text)
	}
	put(hep.TypeRTCP, a, b, 0, `{"sender_information":{"ntp_timestamp_sec":1,"ntp_timestamp_usec":2,"octets":3,"rtp_timestamp":4,"packets":5},"ssrc":7,"type":200,"report_count":1,
		"report_blocks":[{"source_ssrc":8,"fraction_lost":64,"packets_lost":12,"highest_seq_no":9,"ia_jitter":33,"lsr":1,"dlsr":65536}],
		"report_blocks_xr":{"type":207,"id":8,"fraction_lost":32,"fraction_discard":16,"burst_density":4,"gap_density":2,"burst_duration":120,"gap_duration":900,"round_trip_delay":45,"end_system_delay":20}}`)
	put(hep.TypeRTPAgent, a, b, 0, `{"CORRELATION_ID":"x","DELTA":20.5,"JITTER":3.25,"MOS":4.1,"PACKET_LOSS":6,"TOTAL_PK":100,"EXPECTED_PK":106}`)
	put(hep.TypeVQRTCPXR, a, b, 0, "VQSessionReport: CallTerm\r\nCallID: x\r\nLocalID: <sip:x@lab.test>\r\nRemoteID: <sip:y@lab.test>\r\nLocalMetrics:\r\nTimestamps:START=2026-11-21T00:00:00Z STOP=2026-11-21T00:01:00Z\r\nPacketLoss:NLR=5.0 JDR=2.0\r\nDelay:RTD=200 ESD=140 IAJ=8\r\nQualityEst:MOSLQ=4.2 MOSCQ=4.1\r\n")
	put(hep.TypeHoraclifix, a, b, 0, `{"NAME":"sbc1","INC_REALM":"core","OUT_REALM":"access","INC_ID":"x","INC_MOS":432,"INC_RVAL":9100,"INC_RTP_PK":1000,"INC_RTP_PK_LOSS":3,"INC_RTP_AVG_JITTER":4,"INC_RTP_MAX_JITTER":9,
		"INC_RTCP_PK":10,"INC_RTCP_PK_LOSS":1,"INC_RTCP_AVG_JITTER":2,"INC_RTCP_MAX_JITTER":5,"INC_RTCP_AVG_LAT":30,"INC_RTCP_MAX_LAT":60,"OUT_MOS":410,"OUT_RTP_PK":990}`)
	put(hep.TypeSIP, a, b, 80_000, "BYE sip:y@lab.test SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9\r\nFrom: <sip:x@lab.test>;tag=1\r\nTo: <sip:y@lab.test>;tag=2\r\nCall-ID: stat\r\nCSeq: 3 BYE\r\n"+
		"X-RTP-Stat: CS=1500;PS=1000;OS=160000;PR=990;OR=158400;PL=10,4;EN=PCMA;DE=PCMA;JI=12,5;DL=20,22,25\r\nContent-Length: 0\r\n\r\n")
	l.waitReceived(t, sent)
	l.stop(t)
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %v\n%s", resp.Status, err, text)
	}
	lines := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			lines[strings.TrimSpace(line)] = true
		}
	}
	return lines
}

// expect compares the lines of the metrics that want names, all of them.
func expect(t *testing.T, got map[string]bool, want []string) {
	t.Helper()
	names := map[string]bool{}
	for _, line := range want {
		name, _, _ := strings.Cut(line, "{")
		names[name] = true
		if !got[line] {
			t.Errorf("not there: %s", line)
		}
		delete(got, line)
	}
	for line := range got {
		if name, _, _ := strings.Cut(line, "{"); names[name] {
			t.Errorf("not expected: %s", line)
		}
	}
}

func TestHeplifyNamesWithTargets(t *testing.T) {
	expect(t, heplifyPage(t, map[netip.Addr]string{netip.MustParseAddr("10.0.0.1"): "carrier", netip.MustParseAddr("10.0.0.2"): "proxy"}), []string{
		`heplify_packets_total{node_id="tap",type="sip"} 10`,
		`heplify_packets_total{node_id="tap",type="rtcp"} 1`,
		`heplify_packets_total{node_id="tap",type="rtpagent"} 1`,
		`heplify_packets_total{node_id="tap",type="rtcpxr"} 1`,
		`heplify_packets_total{node_id="tap",type="horaclifix"} 1`,

		// Each message on each hop, as its source's and its destination's.
		`heplify_method_response{direction="src",method="INVITE",node_id="tap",response="INVITE",target_name="carrier"} 1`,
		`heplify_method_response{direction="dst",method="INVITE",node_id="tap",response="INVITE",target_name="proxy"} 1`,
		`heplify_method_response{direction="src",method="INVITE",node_id="tap",response="INVITE",target_name="proxy"} 1`,
		`heplify_method_response{direction="dst",method="INVITE",node_id="tap",response="180",target_name="proxy"} 1`,
		`heplify_method_response{direction="src",method="INVITE",node_id="tap",response="180",target_name="proxy"} 1`,
		`heplify_method_response{direction="dst",method="INVITE",node_id="tap",response="180",target_name="carrier"} 1`,
		`heplify_method_response{direction="dst",method="INVITE",node_id="tap",response="480",target_name="proxy"} 1`,
		`heplify_method_response{direction="src",method="INVITE",node_id="tap",response="480",target_name="proxy"} 1`,
		`heplify_method_response{direction="dst",method="INVITE",node_id="tap",response="480",target_name="carrier"} 1`,
		`heplify_method_response{direction="src",method="REGISTER",node_id="tap",response="REGISTER",target_name="carrier"} 1`,
		`heplify_method_response{direction="dst",method="REGISTER",node_id="tap",response="REGISTER",target_name="proxy"} 1`,
		`heplify_method_response{direction="src",method="REGISTER",node_id="tap",response="200",target_name="proxy"} 1`,
		`heplify_method_response{direction="dst",method="REGISTER",node_id="tap",response="200",target_name="carrier"} 1`,
		`heplify_method_response{direction="src",method="OTHER",node_id="tap",response="OTHER",target_name="carrier"} 1`,
		`heplify_method_response{direction="dst",method="OTHER",node_id="tap",response="OTHER",target_name="proxy"} 1`,
		`heplify_method_response{direction="src",method="BYE",node_id="tap",response="BYE",target_name="carrier"} 1`,
		`heplify_method_response{direction="dst",method="BYE",node_id="tap",response="BYE",target_name="proxy"} 1`,
		`heplify_reason_isup_total{cause="19",method="480",target_name="proxy"} 1`,

		// From the INVITE on the first hop to the 180 on it; likewise the REGISTER.
		`heplify_kpi_srd{node_id="tap",target_name="carrier"} 3.1e+07`,
		`heplify_kpi_rrd{node_id="tap",target_name="carrier"} 5e+06`,

		`heplify_rtcp_fraction_lost{direction="src",node_id="tap",target_name="carrier"} 64`,
		`heplify_rtcp_fraction_lost{direction="dst",node_id="tap",target_name="proxy"} 64`,
		`heplify_rtcp_packets_lost{direction="src",node_id="tap",target_name="carrier"} 12`,
		`heplify_rtcp_packets_lost{direction="dst",node_id="tap",target_name="proxy"} 12`,
		`heplify_rtcp_jitter{direction="src",node_id="tap",target_name="carrier"} 33`,
		`heplify_rtcp_jitter{direction="dst",node_id="tap",target_name="proxy"} 33`,
		`heplify_rtcp_dlsr{direction="src",node_id="tap",target_name="carrier"} 65536`,
		`heplify_rtcp_dlsr{direction="dst",node_id="tap",target_name="proxy"} 65536`,
		`heplify_rtcpxr_fraction_lost{direction="src",node_id="tap",target_name="carrier"} 32`,
		`heplify_rtcpxr_fraction_lost{direction="dst",node_id="tap",target_name="proxy"} 32`,
		`heplify_rtcpxr_round_trip_delay{direction="src",node_id="tap",target_name="carrier"} 45`,
		`heplify_rtcpxr_round_trip_delay{direction="dst",node_id="tap",target_name="proxy"} 45`,

		`heplify_rtpagent_delta{node_id="tap"} 20.5`,
		`heplify_rtpagent_jitter{node_id="tap"} 3.25`,
		`heplify_rtpagent_packets_lost{node_id="tap"} 6`,
		`heplify_rtpagent_mos{node_id="tap"} 4.1`,
		`heplify_vqrtcpxr_nlr{node_id="tap"} 5`,
		`heplify_vqrtcpxr_iaj{node_id="tap"} 8`,
		`heplify_vqrtcpxr_moslq{node_id="tap"} 4.2`,
		`heplify_vqrtcpxr_moscq{node_id="tap"} 4.1`,

		`horaclifix_rtp_mos{direction="inc",inc_realm="core",out_realm="access",sbc_name="sbc1"} 4.32`,
		`horaclifix_rtp_mos{direction="out",inc_realm="core",out_realm="access",sbc_name="sbc1"} 4.1`,
		`horaclifix_rtp_packets{direction="inc",inc_realm="core",out_realm="access",sbc_name="sbc1"} 1000`,
		`horaclifix_rtp_packets{direction="out",inc_realm="core",out_realm="access",sbc_name="sbc1"} 990`,
		`horaclifix_rtcp_avg_lat{direction="inc",inc_realm="core",out_realm="access",sbc_name="sbc1"} 30`,
		`horaclifix_rtcp_max_lat{direction="inc",inc_realm="core",out_realm="access",sbc_name="sbc1"} 60`,

		`heplify_xrtp_cs{target_name="carrier"} 1.5`,
		`heplify_xrtp_jir{target_name="carrier"} 12`,
		`heplify_xrtp_jis{target_name="carrier"} 5`,
		`heplify_xrtp_plr{target_name="carrier"} 10`,
		`heplify_xrtp_pls{target_name="carrier"} 4`,
	})
}

// TestHeplifyNamesWithoutTargets: a message that is seen on two hops counts once.
func TestHeplifyNamesWithoutTargets(t *testing.T) {
	expect(t, heplifyPage(t, nil), []string{
		`heplify_method_response{direction="",method="INVITE",node_id="tap",response="INVITE",target_name=""} 1`,
		`heplify_method_response{direction="",method="INVITE",node_id="tap",response="180",target_name=""} 1`,
		`heplify_method_response{direction="",method="INVITE",node_id="tap",response="480",target_name=""} 1`,
		`heplify_method_response{direction="",method="REGISTER",node_id="tap",response="REGISTER",target_name=""} 1`,
		`heplify_method_response{direction="",method="REGISTER",node_id="tap",response="200",target_name=""} 1`,
		`heplify_method_response{direction="",method="OTHER",node_id="tap",response="OTHER",target_name=""} 1`,
		`heplify_method_response{direction="",method="BYE",node_id="tap",response="BYE",target_name=""} 1`,
		`heplify_reason_isup_total{cause="19",method="480",target_name=""} 1`,
		`heplify_kpi_srd{node_id="tap",target_name=""} 3.1e+07`,
		`heplify_kpi_rrd{node_id="tap",target_name=""} 5e+06`,
		`heplify_rtcp_packets_lost{direction="",node_id="tap",target_name="unknown"} 12`,
	})
}
