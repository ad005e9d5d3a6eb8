package media

// Names of further figures (Report.Extra). Ratios are 0..1, times in
// milliseconds unless the name says otherwise, levels in dBm0.
const (
	// RFC 3611 4.7 and RFC 6035 4.6.
	MetricDiscardRate   = "discard_rate"
	MetricBurstDensity  = "burst_density"
	MetricGapDensity    = "gap_density"
	MetricBurstMs       = "burst_duration_ms"
	MetricGapMs         = "gap_duration_ms"
	MetricEndSystemMs   = "end_system_delay_ms"
	MetricSignalLevel   = "signal_level"
	MetricNoiseLevel    = "noise_level"
	MetricRERL          = "residual_echo_return_loss"
	MetricGmin          = "gmin"
	MetricExtRFactor    = "ext_r_factor"
	MetricMOSLQ         = "mos_lq"
	MetricMOSCQ         = "mos_cq"
	MetricRLQ           = "r_lq"
	MetricRCQ           = "r_cq"
	MetricExtRIn        = "ext_r_in"
	MetricExtROut       = "ext_r_out"
	MetricRXConfig      = "rx_config"
	MetricJBAdaptive    = "jb_adaptive" // 0 unknown, 1 reserved, 2 fixed, 3 adaptive
	MetricJBRate        = "jb_rate"
	MetricJBNominalMs   = "jb_nominal_ms"
	MetricJBMaxMs       = "jb_maximum_ms"
	MetricJBAbsMaxMs    = "jb_abs_max_ms"
	MetricOneWayMs      = "one_way_delay_ms"
	MetricSymOneWayMs   = "symmetric_one_way_delay_ms"
	MetricMeanAbsJitter = "mean_abs_jitter_ms"
	MetricPayloadType   = "payload_type"
	MetricSampleRate    = "sample_rate_hz"
	MetricFrameMs       = "frame_duration_ms"
	MetricFrameOctets   = "frame_octets"
	MetricFramesPerPkt  = "frames_per_packet"
	MetricPacketsPerSec = "packets_per_second"
	MetricPLC           = "plc" // 0 unspecified, 1 disabled, 2 enhanced, 3 standard
	MetricDLRRSeconds   = "dlrr_s"
	MetricDuplicates    = "duplicates"
	MetricMinJitterMs   = "min_jitter_ms"
	MetricMaxJitterMs   = "max_jitter_ms"
	MetricMeanJitterMs  = "mean_jitter_ms"
	MetricDevJitterMs   = "dev_jitter_ms"
	MetricMinTTL        = "min_ttl"
	MetricMaxTTL        = "max_ttl"
	MetricMeanTTL       = "mean_ttl"
	MetricBeginSeq      = "begin_seq"
	MetricEndSeq        = "end_seq"

	// RTCP feedback: its kind, with the number of its entries (RFC 4585, RFC 5104 and
	// those named in feedback.go), and what some kinds say. RTPFB and PSFB are for
	// kinds that have no name here; their value is the kind's number.
	MetricNACK        = "nack"
	MetricNACKPackets = "nack_packets" // packets that NACKs ask for again
	MetricTMMBR       = "tmmbr"
	MetricTMMBN       = "tmmbn"
	MetricSRREQ       = "rtcp_sr_req"
	MetricRAMS        = "rams"
	MetricTLLEI       = "tllei"
	MetricECN         = "ecn_feedback"
	MetricPause       = "pause_resume"
	MetricCCFB        = "ccfb"
	MetricTWCC        = "twcc"
	MetricTWCCPackets = "twcc_packets" // packets that it speaks of, over all streams
	MetricTWCCLost    = "twcc_lost"    // those of them that did not arrive
	MetricRTPFB       = "rtpfb"
	MetricPLI         = "pli"
	MetricSLI         = "sli"
	MetricRPSI        = "rpsi"
	MetricFIR         = "fir"
	MetricFIRSeq      = "fir_seq"
	MetricTSTR        = "tstr"
	MetricTSTN        = "tstn"
	MetricVBCM        = "vbcm"
	MetricLRR         = "lrr"
	MetricAFB         = "afb"
	MetricREMB        = "remb"            // streams that the estimate is for
	MetricMaxBitrate  = "max_bitrate_bps" // of REMB, TMMBR and TMMBN
	MetricPSFB        = "psfb"

	// RTP agents and horaclifix.
	MetricExpected      = "expected"
	MetricDeltaMs       = "delta_ms"
	MetricMaxDeltaMs    = "max_delta_ms"
	MetricSkewMs        = "skew_ms"
	MetricMaxSkewMs     = "max_skew_ms"
	MetricMinMOS        = "min_mos"
	MetricMeanMOS       = "mean_mos"
	MetricMaxMOS        = "max_mos"
	MetricMinRFactor    = "min_r_factor"
	MetricMeanRFactor   = "mean_r_factor"
	MetricMeanLoss      = "mean_packet_loss"
	MetricOutOfOrder    = "out_of_order"
	MetricSSRCChanges   = "ssrc_changes"
	MetricOneWayRTP     = "one_way_rtp"
	MetricClockHz       = "clock_hz"
	MetricDirection     = "direction"
	MetricVLAN          = "vlan"
	MetricMediaType     = "media_type"
	MetricRTCPPackets   = "rtcp_packets"
	MetricRTCPOctets    = "rtcp_octets"
	MetricRTCPLost      = "rtcp_lost"
	MetricRTCPJitterMs  = "rtcp_jitter_ms"
	MetricRTCPMaxJitter = "rtcp_max_jitter_ms"
	MetricLatencyMs     = "latency_ms"
	MetricMaxLatencyMs  = "max_latency_ms"

	// X-RTP-Stat.
	MetricPacketsSent   = "packets_sent"
	MetricOctetsSent    = "octets_sent"
	MetricLostSent      = "lost_sent"
	MetricJitterSentMs  = "jitter_sent_ms"
	MetricDiscarded     = "discarded"
	MetricDiscardedSent = "discarded_sent"
	MetricSetupMs       = "call_setup_ms"
	MetricDurationS     = "duration_s"
	MetricExpectedSent  = "expected_sent"

	// RTP aggregate.
	MetricGaps           = "sequence_gaps"
	MetricBurstRatio     = "burst_ratio" // G.107: mean loss burst against that of random loss
	MetricLongestGap     = "longest_gap"
	MetricReordered      = "reordered"
	MetricRestarts       = "restarts"
	MetricPayloadChanges = "payload_type_changes"
	MetricMarkers        = "markers"
)
