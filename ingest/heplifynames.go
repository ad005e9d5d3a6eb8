package ingest

import "github.com/prometheus/client_golang/prometheus"

// heplifyVecs are the metrics of heplify-server 1.60 by its names, labels and
// units, so that dashboards and alerts made for it go on working.
type heplifyVecs struct {
	packets, responses, causes *prometheus.CounterVec
	size, srd, rrd             *prometheus.GaugeVec

	xrtpCS, xrtpJIR, xrtpJIS, xrtpPLR, xrtpPLS, xrtpDLE, xrtpMOS *prometheus.GaugeVec

	rtcpFraction, rtcpLost, rtcpJitter, rtcpDLSR *prometheus.GaugeVec

	xrFraction, xrDiscard, xrBurstDensity, xrBurst, xrGapDensity, xrGap, xrRTD, xrESD *prometheus.GaugeVec

	vqNLR, vqJDR, vqIAJ, vqMOSLQ, vqMOSCQ *prometheus.GaugeVec

	agentDelta, agentJitter, agentMOS, agentLost *prometheus.GaugeVec

	sbcMOS, sbcR, sbcPackets, sbcLost, sbcJitter, sbcMaxJitter                   *prometheus.GaugeVec
	sbcRTCPPackets, sbcRTCPLost, sbcRTCPJitter, sbcRTCPMaxJitter, sbcLat, sbcMax *prometheus.GaugeVec
}

var (
	byNode      = []string{"node_id"}
	byTarget    = []string{"target_name"}
	byDirection = []string{"target_name", "direction", "node_id"}
	bySBC       = []string{"sbc_name", "direction", "inc_realm", "out_realm"}
)

func newHeplifyVecs() *heplifyVecs {
	return &heplifyVecs{
		packets: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "heplify_packets_total", Help: "HEP packets, by type."}, []string{"node_id", "type"}),
		size:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_packets_size", Help: "Payload bytes of the last HEP packet, by type."}, []string{"node_id", "type"}),
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "heplify_method_response", Help: "SIP requests and responses, by what they say and the method they belong to."},
			[]string{"target_name", "direction", "node_id", "response", "method"}),
		causes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "heplify_reason_isup_total", Help: "Q.850 causes of Reason headers."}, []string{"target_name", "cause", "method"}),
		srd:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_kpi_srd", Help: "Session request delay of the last call, in nanoseconds."}, []string{"target_name", "node_id"}),
		rrd:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_kpi_rrd", Help: "Registration request delay of the last registration, in nanoseconds."}, []string{"target_name", "node_id"}),

		xrtpCS:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_xrtp_cs", Help: "Call setup time of the last X-RTP-Stat, in seconds."}, byTarget),
		xrtpJIR: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_xrtp_jir", Help: "Jitter received, of the last X-RTP-Stat."}, byTarget),
		xrtpJIS: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_xrtp_jis", Help: "Jitter sent, of the last X-RTP-Stat."}, byTarget),
		xrtpPLR: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_xrtp_plr", Help: "Packets lost on receipt, of the last X-RTP-Stat."}, byTarget),
		xrtpPLS: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_xrtp_pls", Help: "Packets lost of those sent, of the last X-RTP-Stat."}, byTarget),
		xrtpDLE: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_xrtp_dle", Help: "Round-trip time of the last X-RTP-Stat, in milliseconds."}, byTarget),
		xrtpMOS: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_xrtp_mos", Help: "MOS of the last X-RTP-Stat, by heplake's E-model."}, byTarget),

		rtcpFraction: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtcp_fraction_lost", Help: "Fraction lost of the last RTCP block, in 1/256."}, byDirection),
		rtcpLost:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtcp_packets_lost", Help: "Packets lost of the last RTCP block."}, byDirection),
		rtcpJitter:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtcp_jitter", Help: "Jitter of the last RTCP block, in units of RTP timestamps."}, byDirection),
		rtcpDLSR:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtcp_dlsr", Help: "Delay since the last sender report of the last RTCP block, in 1/65536 s."}, byDirection),

		xrFraction:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtcpxr_fraction_lost", Help: "Loss of the last RTCP-XR block, in 1/256."}, byDirection),
		xrDiscard:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtcpxr_fraction_discard", Help: "Discards of the last RTCP-XR block, in 1/256."}, byDirection),
		xrBurstDensity: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtcpxr_burst_density", Help: "Loss within bursts of the last RTCP-XR block, in 1/256."}, byDirection),
		xrBurst:        prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtcpxr_burst_duration", Help: "Mean length of bursts of the last RTCP-XR block, in milliseconds."}, byDirection),
		xrGapDensity:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtcpxr_gap_density", Help: "Loss within gaps of the last RTCP-XR block, in 1/256."}, byDirection),
		xrGap:          prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtcpxr_gap_duration", Help: "Mean length of gaps of the last RTCP-XR block, in milliseconds."}, byDirection),
		xrRTD:          prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtcpxr_round_trip_delay", Help: "Round-trip delay of the last RTCP-XR block, in milliseconds."}, byDirection),
		xrESD:          prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtcpxr_end_system_delay", Help: "End system delay of the last RTCP-XR block, in milliseconds."}, byDirection),

		vqNLR:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_vqrtcpxr_nlr", Help: "Network loss of the last voice quality report, in percent."}, byNode),
		vqJDR:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_vqrtcpxr_jdr", Help: "Jitter buffer discards of the last voice quality report, in percent."}, byNode),
		vqIAJ:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_vqrtcpxr_iaj", Help: "Jitter of the last voice quality report, in milliseconds."}, byNode),
		vqMOSLQ: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_vqrtcpxr_moslq", Help: "Listening MOS of the last voice quality report."}, byNode),
		vqMOSCQ: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_vqrtcpxr_moscq", Help: "Conversation MOS of the last voice quality report."}, byNode),

		agentDelta:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtpagent_delta", Help: "Packet spacing of the last RTP agent report, in milliseconds."}, byNode),
		agentJitter: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtpagent_jitter", Help: "Jitter of the last RTP agent report, in milliseconds."}, byNode),
		agentMOS:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtpagent_mos", Help: "MOS of the last RTP agent report."}, byNode),
		agentLost:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "heplify_rtpagent_packets_lost", Help: "Packets lost of the last RTP agent report."}, byNode),

		sbcMOS:           prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "horaclifix_rtp_mos", Help: "MOS of the last SBC record."}, bySBC),
		sbcR:             prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "horaclifix_rtp_rval", Help: "R-factor of the last SBC record."}, bySBC),
		sbcPackets:       prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "horaclifix_rtp_packets", Help: "RTP packets of the last SBC record."}, bySBC),
		sbcLost:          prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "horaclifix_rtp_lost_packets", Help: "RTP packets lost, of the last SBC record."}, bySBC),
		sbcJitter:        prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "horaclifix_rtp_avg_jitter", Help: "Mean RTP jitter of the last SBC record."}, bySBC),
		sbcMaxJitter:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "horaclifix_rtp_max_jitter", Help: "Greatest RTP jitter of the last SBC record."}, bySBC),
		sbcRTCPPackets:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "horaclifix_rtcp_packets", Help: "RTCP packets of the last SBC record."}, bySBC),
		sbcRTCPLost:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "horaclifix_rtcp_lost_packets", Help: "Packets lost by RTCP, of the last SBC record."}, bySBC),
		sbcRTCPJitter:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "horaclifix_rtcp_avg_jitter", Help: "Mean jitter by RTCP, of the last SBC record."}, bySBC),
		sbcRTCPMaxJitter: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "horaclifix_rtcp_max_jitter", Help: "Greatest jitter by RTCP, of the last SBC record."}, bySBC),
		sbcLat:           prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "horaclifix_rtcp_avg_lat", Help: "Mean latency by RTCP, of the last SBC record."}, bySBC),
		sbcMax:           prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "horaclifix_rtcp_max_lat", Help: "Greatest latency by RTCP, of the last SBC record."}, bySBC),
	}
}

func (v *heplifyVecs) all() []prometheus.Collector {
	return []prometheus.Collector{
		v.packets, v.size, v.responses, v.causes, v.srd, v.rrd,
		v.xrtpCS, v.xrtpJIR, v.xrtpJIS, v.xrtpPLR, v.xrtpPLS, v.xrtpDLE, v.xrtpMOS,
		v.rtcpFraction, v.rtcpLost, v.rtcpJitter, v.rtcpDLSR,
		v.xrFraction, v.xrDiscard, v.xrBurstDensity, v.xrBurst, v.xrGapDensity, v.xrGap, v.xrRTD, v.xrESD,
		v.vqNLR, v.vqJDR, v.vqIAJ, v.vqMOSLQ, v.vqMOSCQ,
		v.agentDelta, v.agentJitter, v.agentMOS, v.agentLost,
		v.sbcMOS, v.sbcR, v.sbcPackets, v.sbcLost, v.sbcJitter, v.sbcMaxJitter,
		v.sbcRTCPPackets, v.sbcRTCPLost, v.sbcRTCPJitter, v.sbcRTCPMaxJitter, v.sbcLat, v.sbcMax,
	}
}
