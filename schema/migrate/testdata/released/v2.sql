
-- table meta: who migrated the schema to what
CREATE TABLE IF NOT EXISTS {db}.`meta`
(
    time DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When this was recorded.',
    schema_version UInt32 COMMENT 'Version of the declared schema.',
    schema_hash String COMMENT 'Hash of the declared schema.',
    binary_version String COMMENT 'Version of the heplake that migrated.',
    done Bool COMMENT 'false when a migration begins, true when it is done.'
)
ENGINE = MergeTree
ORDER BY (schema_version, time)
COMMENT 'Migrations of the schema: each when it began and when it was done.';

-- schema version 2: the migration begins
INSERT INTO {db}.`meta` (schema_version, schema_hash, binary_version, done) SELECT 2, 'f033408d38f9961dd624e4158f6c516490ec179d3d5e66d4dd3ff0d7a63370a3', 'dev', false;

-- table sip: One row per SIP message.
CREATE TABLE IF NOT EXISTS {db}.`sip`
(
    `time` DateTime64(6, 'UTC') COMMENT 'When the capture agent saw it (HEP chunks 0x09, 0x0a); the time of receipt where the agent gave none or an absurd one.' CODEC(Delta(8), ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'Whose traffic it is.' CODEC(ZSTD(1)),
    `node` LowCardinality(String) COMMENT 'Name of the capture agent (HEP chunk 0x13), empty when it gives none.' CODEC(ZSTD(1)),
    `capture_id` UInt32 COMMENT 'Id of the capture agent (HEP chunk 0x0c).' CODEC(ZSTD(1)),
    `correlation_id` String COMMENT 'What ties the legs of a call together: HEP chunk 0x11, else the first configured header, else the Call-ID.' CODEC(ZSTD(1)),
    `call_id` String COMMENT 'SIP Call-ID; on other records the id of the call they belong to, as far as known.' CODEC(ZSTD(1)),
    `src_ip` LowCardinality(IPv6) COMMENT 'Sender of the captured packet.' CODEC(ZSTD(1)),
    `src_port` UInt16 COMMENT 'Port of the sender.' CODEC(ZSTD(1)),
    `dst_ip` LowCardinality(IPv6) COMMENT 'Receiver of the captured packet.' CODEC(ZSTD(1)),
    `dst_port` UInt16 COMMENT 'Port of the receiver.' CODEC(ZSTD(1)),
    `transport` LowCardinality(String) COMMENT 'Transport of the captured packet: udp, tcp, tls, ws, wss, sctp.' CODEC(ZSTD(1)),
    `method` LowCardinality(String) COMMENT 'Method of a request; empty on a response.' CODEC(ZSTD(1)),
    `status` UInt16 COMMENT 'Status code of a response; 0 on a request.' CODEC(ZSTD(1)),
    `reason` LowCardinality(String) COMMENT 'Reason phrase of a response.' CODEC(ZSTD(1)),
    `cseq` UInt32 COMMENT 'Number of the CSeq header.' CODEC(ZSTD(1)),
    `cseq_method` LowCardinality(String) COMMENT 'Method of the CSeq header.' CODEC(ZSTD(1)),
    `from_user` String COMMENT 'User part of the From URI, as sent.' CODEC(ZSTD(1)),
    `from_domain` LowCardinality(String) COMMENT 'Host of the From URI.' CODEC(ZSTD(1)),
    `from_tag` String COMMENT 'Tag of the From header.' CODEC(ZSTD(1)),
    `to_user` String COMMENT 'User part of the To URI, as sent.' CODEC(ZSTD(1)),
    `to_domain` LowCardinality(String) COMMENT 'Host of the To URI.' CODEC(ZSTD(1)),
    `to_tag` String COMMENT 'Tag of the To header.' CODEC(ZSTD(1)),
    `ruri_user` String COMMENT 'User part of the Request-URI; empty on a response.' CODEC(ZSTD(1)),
    `ruri_domain` LowCardinality(String) COMMENT 'Host of the Request-URI.' CODEC(ZSTD(1)),
    `user_agent` LowCardinality(String) COMMENT 'User-Agent header.' CODEC(ZSTD(1)),
    `server` LowCardinality(String) COMMENT 'Server header.' CODEC(ZSTD(1)),
    `contact_user` String COMMENT 'User part of the first Contact.' CODEC(ZSTD(1)),
    `contact_host` LowCardinality(String) COMMENT 'Host of the first Contact.' CODEC(ZSTD(1)),
    `contact_port` UInt16 COMMENT 'Port of the first Contact, 0 when it names none.' CODEC(ZSTD(1)),
    `pai_user` String COMMENT 'User part of P-Asserted-Identity (RFC 3325).' CODEC(ZSTD(1)),
    `auth_user` String COMMENT 'User name of Authorization or Proxy-Authorization.' CODEC(ZSTD(1)),
    `diversion` LowCardinality(String) COMMENT 'User part of Diversion (RFC 5806), else of the last History-Info (RFC 7044).' CODEC(ZSTD(1)),
    `via_branch` String COMMENT 'Branch of the topmost Via.' CODEC(ZSTD(1)),
    `via_host` LowCardinality(String) COMMENT 'Host of the bottom-most Via: who began the request.' CODEC(ZSTD(1)),
    `via_port` UInt16 COMMENT 'Port of the bottom-most Via, 0 when it names none.' CODEC(ZSTD(1)),
    `content_type` LowCardinality(String) COMMENT 'Content-Type header.' CODEC(ZSTD(1)),
    `expires` UInt32 COMMENT 'Expires header, else the first Contact\'s expires parameter, in seconds; 0 when neither is there.' CODEC(ZSTD(1)),
    `q850` UInt16 COMMENT 'Cause of the Reason header with protocol Q.850 (RFC 3326), else of an ISUP body; 0 when none.' CODEC(ZSTD(1)),
    `reason_header` LowCardinality(String) COMMENT 'Reason header, whole (RFC 3326).' CODEC(ZSTD(1)),
    `sdp` String COMMENT 'One-line summary of the SDP body: media, address:port, codecs, direction; empty without SDP.' CODEC(ZSTD(1)),
    `headers` Map(LowCardinality(String), String) COMMENT 'Headers kept by configuration, by the name configured.' CODEC(ZSTD(1)),
    `parse_error` LowCardinality(String) COMMENT 'What is wrong with the message, as words joined by commas; empty when nothing is.' CODEC(ZSTD(1)),
    `hep` Map(LowCardinality(String), String) COMMENT 'HEP chunks without a column of their own, by name (vlan, tos, src_mac, mos, group_id, …; vendor chunks as vendor.type in decimal), and hep.time: the sender\'s own time where it was not believed.' CODEC(ZSTD(1)),
    `raw` String COMMENT 'The message, byte for byte.' CODEC(ZSTD(3)),
    INDEX idx_correlation_id `correlation_id` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_call_id `call_id` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_src_ip `src_ip` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_dst_ip `dst_ip` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_method `method` TYPE set(64) GRANULARITY 1,
    INDEX idx_status `status` TYPE set(128) GRANULARITY 1,
    INDEX idx_from_user `from_user` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_to_user `to_user` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_ruri_user `ruri_user` TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (toStartOfHour(time), correlation_id, time)
TTL toDateTime(time) + toIntervalDay(90)
SETTINGS index_granularity = 2048, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'One row per SIP message.';

-- table media: One row per RTCP report block or quality report.
CREATE TABLE IF NOT EXISTS {db}.`media`
(
    `time` DateTime64(6, 'UTC') COMMENT 'When the capture agent saw it (HEP chunks 0x09, 0x0a); the time of receipt where the agent gave none or an absurd one.' CODEC(Delta(8), ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'Whose traffic it is.' CODEC(ZSTD(1)),
    `node` LowCardinality(String) COMMENT 'Name of the capture agent (HEP chunk 0x13), empty when it gives none.' CODEC(ZSTD(1)),
    `capture_id` UInt32 COMMENT 'Id of the capture agent (HEP chunk 0x0c).' CODEC(ZSTD(1)),
    `correlation_id` String COMMENT 'What ties the legs of a call together: HEP chunk 0x11, else the first configured header, else the Call-ID.' CODEC(ZSTD(1)),
    `call_id` String COMMENT 'SIP Call-ID; on other records the id of the call they belong to, as far as known.' CODEC(ZSTD(1)),
    `src_ip` LowCardinality(IPv6) COMMENT 'Sender of the captured packet.' CODEC(ZSTD(1)),
    `src_port` UInt16 COMMENT 'Port of the sender.' CODEC(ZSTD(1)),
    `dst_ip` LowCardinality(IPv6) COMMENT 'Receiver of the captured packet.' CODEC(ZSTD(1)),
    `dst_port` UInt16 COMMENT 'Port of the receiver.' CODEC(ZSTD(1)),
    `transport` LowCardinality(String) COMMENT 'Transport of the captured packet: udp, tcp, tls, ws, wss, sctp.' CODEC(ZSTD(1)),
    `source` LowCardinality(String) COMMENT 'What reported: rtcp, rtcp-xr, vq-rtcpxr, rtp-agent, x-rtp-stat, horaclifix, rtp.' CODEC(ZSTD(1)),
    `report` LowCardinality(String) COMMENT 'Kind of report within the source: sr, rr, xr, bye, sdes, feedback, session, interval, …' CODEC(ZSTD(1)),
    `ssrc` UInt32 COMMENT 'Stream reported on; the reporter\'s own where the report names none.' CODEC(ZSTD(1)),
    `reporter` UInt32 COMMENT 'SSRC of who reports.' CODEC(ZSTD(1)),
    `packets` UInt64 COMMENT 'Packets of the stream as the reporter counts them (RTCP SR: packets sent by the reporter).' CODEC(ZSTD(1)),
    `octets` UInt64 COMMENT 'Payload octets, likewise.' CODEC(ZSTD(1)),
    `lost` Int64 COMMENT 'Packets lost in all; negative when duplicates outnumber losses (RFC 3550 section 6.4.1).' CODEC(ZSTD(1)),
    `fraction_lost` Float32 COMMENT 'Share lost since the last report, 0 to 1.' CODEC(ZSTD(1)),
    `jitter_ms` Float32 COMMENT 'Interarrival jitter in ms, by the codec\'s clock rate where known, else 8 kHz.' CODEC(ZSTD(1)),
    `rtt_ms` Float32 COMMENT 'Round-trip time in ms; 0 when unknown.' CODEC(ZSTD(1)),
    `mos` Float32 COMMENT 'Mean opinion score, 1 to 5; 0 when unknown.' CODEC(ZSTD(1)),
    `mos_method` LowCardinality(String) COMMENT 'How mos came about: reported, e-model; empty when unknown.' CODEC(ZSTD(1)),
    `r_factor` Float32 COMMENT 'R factor (ITU-T G.107), 0 to 100; 0 when unknown.' CODEC(ZSTD(1)),
    `codec` LowCardinality(String) COMMENT 'Codec of the stream, empty when unknown.' CODEC(ZSTD(1)),
    `metrics` Map(LowCardinality(String), Float32) COMMENT 'Further figures of the report by name: burst_density, gap_duration, highest_seq, …' CODEC(ZSTD(1)),
    `hep` Map(LowCardinality(String), String) COMMENT 'HEP chunks without a column of their own, by name (vlan, tos, src_mac, mos, group_id, …; vendor chunks as vendor.type in decimal), and hep.time: the sender\'s own time where it was not believed.' CODEC(ZSTD(1)),
    `raw` String COMMENT 'The report as it arrived; in the first row of several that came of one packet.' CODEC(ZSTD(3)),
    INDEX idx_correlation_id `correlation_id` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_call_id `call_id` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_src_ip `src_ip` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_dst_ip `dst_ip` TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (toStartOfHour(time), correlation_id, time)
TTL toDateTime(time) + toIntervalDay(90)
SETTINGS index_granularity = 2048, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'One row per RTCP report block or quality report.';

-- table events: One row per log line, CDR, record of another protocol, and packet that would not decode.
CREATE TABLE IF NOT EXISTS {db}.`events`
(
    `time` DateTime64(6, 'UTC') COMMENT 'When the capture agent saw it (HEP chunks 0x09, 0x0a); the time of receipt where the agent gave none or an absurd one.' CODEC(Delta(8), ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'Whose traffic it is.' CODEC(ZSTD(1)),
    `node` LowCardinality(String) COMMENT 'Name of the capture agent (HEP chunk 0x13), empty when it gives none.' CODEC(ZSTD(1)),
    `capture_id` UInt32 COMMENT 'Id of the capture agent (HEP chunk 0x0c).' CODEC(ZSTD(1)),
    `correlation_id` String COMMENT 'What ties the legs of a call together: HEP chunk 0x11, else the first configured header, else the Call-ID.' CODEC(ZSTD(1)),
    `call_id` String COMMENT 'SIP Call-ID; on other records the id of the call they belong to, as far as known.' CODEC(ZSTD(1)),
    `src_ip` LowCardinality(IPv6) COMMENT 'Sender of the captured packet.' CODEC(ZSTD(1)),
    `src_port` UInt16 COMMENT 'Port of the sender.' CODEC(ZSTD(1)),
    `dst_ip` LowCardinality(IPv6) COMMENT 'Receiver of the captured packet.' CODEC(ZSTD(1)),
    `dst_port` UInt16 COMMENT 'Port of the receiver.' CODEC(ZSTD(1)),
    `transport` LowCardinality(String) COMMENT 'Transport of the captured packet: udp, tcp, tls, ws, wss, sctp.' CODEC(ZSTD(1)),
    `type` UInt16 COMMENT 'HEP protocol type (chunk 0x0b); 0 when the packet would not decode.' CODEC(ZSTD(1)),
    `type_name` LowCardinality(String) COMMENT 'Name of the type: log, cdr, diameter, …; undecodable.' CODEC(ZSTD(1)),
    `stage` LowCardinality(String) COMMENT 'Where decoding stopped: hep, sip, media; empty when nothing is wrong.' CODEC(ZSTD(1)),
    `error` LowCardinality(String) COMMENT 'Why decoding stopped; empty when nothing is wrong.' CODEC(ZSTD(1)),
    `error_offset` UInt32 COMMENT 'Offset of the byte at which decoding stopped.' CODEC(ZSTD(1)),
    `hep` Map(LowCardinality(String), String) COMMENT 'HEP chunks without a column of their own, by name (vlan, tos, src_mac, mos, group_id, …; vendor chunks as vendor.type in decimal), and hep.time: the sender\'s own time where it was not believed.' CODEC(ZSTD(1)),
    `body` String COMMENT 'The payload, byte for byte; the whole packet when its HEP would not decode.' CODEC(ZSTD(3)),
    INDEX idx_correlation_id `correlation_id` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_call_id `call_id` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_src_ip `src_ip` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_dst_ip `dst_ip` TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (toStartOfHour(time), correlation_id, time)
TTL toDateTime(time) + toIntervalDay(90)
SETTINGS index_granularity = 2048, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'One row per log line, CDR, record of another protocol, and packet that would not decode.';

-- table legs: Messages of calls and registrations in short, by Call-ID and ten minutes: what call_rows is made of.
CREATE TABLE IF NOT EXISTS {db}.`legs`
(
    `slot` DateTime('UTC') COMMENT 'The ten minutes that the messages lie in.' CODEC(ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'Whose traffic it is.' CODEC(ZSTD(1)),
    `call_id` String COMMENT 'Call-ID of the leg.' CODEC(ZSTD(1)),
    `touched` SimpleAggregateFunction(max, DateTime64(6, 'UTC')) COMMENT 'When the server began the newest insert that is in it.' CODEC(Delta(8), ZSTD(1)),
    `first` SimpleAggregateFunction(min, DateTime64(6, 'UTC')) COMMENT 'First message.' CODEC(Delta(8), ZSTD(1)),
    `last` SimpleAggregateFunction(max, DateTime64(6, 'UTC')) COMMENT 'Last message.' CODEC(Delta(8), ZSTD(1)),
    `events` SimpleAggregateFunction(groupArrayArray, Array(Tuple(time Int64, method UInt8, status UInt16, cseq UInt32, from_tag UInt32, to_tag UInt32, branch UInt32, src UInt32, dst UInt32, agent UInt32, sdp UInt32, expires UInt32))) COMMENT 'Each message: time in µs, method by number, status, CSeq, expiry; tags, branch, addresses, agent and SDP as hashes.' CODEC(ZSTD(1)),
    `opening` SimpleAggregateFunction(max, String) COMMENT 'The opening request\'s facts in words parted by \\x1f, after what makes the one wanted the greatest: whether it opens, is on its first hop, is a request, and its time counted down.' CODEC(ZSTD(1)),
    `addresses` SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(hash UInt32, ip IPv6, port UInt16))) COMMENT 'Addresses that hashes in events stand for.' CODEC(ZSTD(1)),
    `correlation_ids` SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'Correlation ids other than the Call-ID.' CODEC(ZSTD(1)),
    `link_ids` SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'header:value of what else names the call.' CODEC(ZSTD(1)),
    `reasons` SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(status UInt16, reason String))) COMMENT 'Reason phrases of responses.' CODEC(ZSTD(1)),
    `q850` SimpleAggregateFunction(max, UInt64) COMMENT 'Time in µs << 12 | last cause of Reason.' CODEC(ZSTD(1)),
    `offered` SimpleAggregateFunction(max, String) COMMENT 'Time in hexadecimal and summary of the last SDP of a request.' CODEC(ZSTD(1)),
    `answered` SimpleAggregateFunction(max, String) COMMENT 'Likewise of a response.' CODEC(ZSTD(1)),
    `user_agents` SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'User-Agent and Server headers.' CODEC(ZSTD(1)),
    `nodes` SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'Capture agents, by name, else by capture id.' CODEC(ZSTD(1)),
    `media` SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'Addresses that SDP announced, as ip:port.' CODEC(ZSTD(1)),
    INDEX idx_touched `touched` TYPE minmax GRANULARITY 1
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(slot)
ORDER BY (slot, tenant, call_id)
TTL toDateTime(touched) + toIntervalDay(8)
SETTINGS index_granularity = 512, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'Messages of calls and registrations in short, by Call-ID and ten minutes: what call_rows is made of.';

-- table leg_links: Legs by what ties them to others: correlation ids that are not their Call-ID, and link ids.
CREATE TABLE IF NOT EXISTS {db}.`leg_links`
(
    `slot` DateTime('UTC') COMMENT 'The ten minutes that the messages lie in.' CODEC(ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'Whose traffic it is.' CODEC(ZSTD(1)),
    `key` String COMMENT 'Correlation id, or a link id\'s value.' CODEC(ZSTD(1)),
    `call_id` String COMMENT 'Call-ID of the leg that has it.' CODEC(ZSTD(1)),
    `touched` SimpleAggregateFunction(max, DateTime64(6, 'UTC')) COMMENT 'When the server began the newest insert that is in it.' CODEC(Delta(8), ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(slot)
ORDER BY (slot, tenant, key, call_id)
TTL toDateTime(touched) + toIntervalDay(8)
SETTINGS index_granularity = 512, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'Legs by what ties them to others: correlation ids that are not their Call-ID, and link ids.';

-- table leg_reports: Quality reports in short, by Call-ID and ten minutes.
CREATE TABLE IF NOT EXISTS {db}.`leg_reports`
(
    `slot` DateTime('UTC') COMMENT 'The ten minutes that the messages lie in.' CODEC(ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'Whose traffic it is.' CODEC(ZSTD(1)),
    `call_id` String COMMENT 'Call-ID of the leg.' CODEC(ZSTD(1)),
    `touched` SimpleAggregateFunction(max, DateTime64(6, 'UTC')) COMMENT 'When the server began the newest insert that is in it.' CODEC(Delta(8), ZSTD(1)),
    `reports` SimpleAggregateFunction(groupArrayArray, Array(Tuple(time Int64, ip IPv6, port UInt16, ssrc UInt32, reporter UInt32, mos Float32, loss Float32, jitter Float32, rtt Float32, reception UInt8))) COMMENT 'Each report: time in µs, who sent it, its stream, MOS, share lost, jitter and round trip in ms, and whether it says anything of reception.' CODEC(ZSTD(1)),
    INDEX idx_touched `touched` TYPE minmax GRANULARITY 1
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(slot)
ORDER BY (slot, tenant, call_id)
TTL toDateTime(touched) + toIntervalDay(8)
SETTINGS index_granularity = 512, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'Quality reports in short, by Call-ID and ten minutes.';

-- table call_rows: Calls as they were computed, newest version last: read them through the view calls.
CREATE TABLE IF NOT EXISTS {db}.`call_rows`
(
    `tenant` LowCardinality(String) COMMENT 'Whose traffic it is.' CODEC(ZSTD(1)),
    `correlation_id` String COMMENT 'What names the call: the correlation id of its first leg that is nobody\'s Call-ID, else that leg\'s Call-ID.' CODEC(ZSTD(1)),
    `call_ids` Array(String) COMMENT 'Call-IDs of its legs, in order of first message.' CODEC(ZSTD(1)),
    `method` LowCardinality(String) COMMENT 'Method of the request that opened it; of the first message seen when that was missed.' CODEC(ZSTD(1)),
    `start` DateTime64(6, 'UTC') COMMENT 'First message.' CODEC(Delta(8), ZSTD(1)),
    `ring` Nullable(DateTime64(6, 'UTC')) COMMENT 'First 180 or 183 to the opening request; NULL when none.' CODEC(ZSTD(1)),
    `answer` Nullable(DateTime64(6, 'UTC')) COMMENT 'First 2xx to the opening request; NULL when none.' CODEC(ZSTD(1)),
    `end` Nullable(DateTime64(6, 'UTC')) COMMENT 'First BYE, or the final failure; NULL when neither was seen.' CODEC(ZSTD(1)),
    `last_seen` DateTime64(6, 'UTC') COMMENT 'Last message.' CODEC(Delta(8), ZSTD(1)),
    `pdd_ms` Nullable(Float64) COMMENT 'Post-dial delay: opening request to first 180 or 183, in ms; NULL when none.' CODEC(ZSTD(1)),
    `srd_ms` Nullable(Float64) COMMENT 'Session request delay (RFC 6076 section 4.3): opening request to the first response that says how it fares (not 100, 401, 402, 407), in ms; NULL when none.' CODEC(ZSTD(1)),
    `ring_ms` Nullable(Float64) COMMENT 'First 180 or 183 to answer or end, in ms; NULL when it did not ring.' CODEC(ZSTD(1)),
    `duration_s` Nullable(Float64) COMMENT 'Answer to end, or to the last message while in progress, in s; NULL when not answered.' CODEC(ZSTD(1)),
    `sdd_ms` Nullable(Float64) COMMENT 'Session disconnect delay (RFC 6076 section 4.4): BYE to its 2xx, in ms; NULL without either.' CODEC(ZSTD(1)),
    `outcome` LowCardinality(String) COMMENT 'answered, failed, cancelled, unanswered or in_progress.' CODEC(ZSTD(1)),
    `final_status` UInt16 COMMENT 'Final status of the opening request; 0 when none arrived.' CODEC(ZSTD(1)),
    `final_reason` LowCardinality(String) COMMENT 'Its reason phrase.' CODEC(ZSTD(1)),
    `q850` UInt16 COMMENT 'Q.850 cause of the last message that gave one; 0 when none.' CODEC(ZSTD(1)),
    `released_by` LowCardinality(String) COMMENT 'Who ended it: caller, callee or network; empty when nobody did or it cannot be told.' CODEC(ZSTD(1)),
    `from_user` String COMMENT 'User part of From.' CODEC(ZSTD(1)),
    `from_domain` LowCardinality(String) COMMENT 'Host of From.' CODEC(ZSTD(1)),
    `to_user` String COMMENT 'User part of To.' CODEC(ZSTD(1)),
    `to_domain` LowCardinality(String) COMMENT 'Host of To.' CODEC(ZSTD(1)),
    `ruri_user` String COMMENT 'User part of the opening Request-URI.' CODEC(ZSTD(1)),
    `src_ip` IPv6 COMMENT 'Sender of the opening request.' CODEC(ZSTD(1)),
    `src_port` UInt16 COMMENT 'Its port.' CODEC(ZSTD(1)),
    `dst_ip` IPv6 COMMENT 'Receiver of the opening request.' CODEC(ZSTD(1)),
    `dst_port` UInt16 COMMENT 'Its port.' CODEC(ZSTD(1)),
    `user_agents` Array(LowCardinality(String)) COMMENT 'User-Agent and Server headers seen.' CODEC(ZSTD(1)),
    `codecs` Array(LowCardinality(String)) COMMENT 'Codecs that the last answering SDP named; of the offer when there was none.' CODEC(ZSTD(1)),
    `nodes` Array(LowCardinality(String)) COMMENT 'Capture agents that reported it, by name, else by capture id.' CODEC(ZSTD(1)),
    `messages` UInt64 COMMENT 'SIP messages, copies by several agents included; a record that arrived twice counts once.' CODEC(ZSTD(1)),
    `retransmissions` UInt64 COMMENT 'Messages that the same sender had sent before, as each capture agent saw them.' CODEC(ZSTD(1)),
    `hops` UInt64 COMMENT 'Distinct pairs of sender and receiver of the opening requests.' CODEC(ZSTD(1)),
    `mos_min` Nullable(Float64) COMMENT 'Lowest mean opinion score; NULL when none was reported.' CODEC(ZSTD(1)),
    `mos_avg` Nullable(Float64) COMMENT 'Mean of the opinion scores; NULL when none was reported.' CODEC(ZSTD(1)),
    `loss_percent` Nullable(Float64) COMMENT 'Mean share of packets lost, in percent; NULL when no reception was reported.' CODEC(ZSTD(1)),
    `jitter_ms` Nullable(Float64) COMMENT 'Mean interarrival jitter in ms; NULL when no reception was reported.' CODEC(ZSTD(1)),
    `rtt_ms` Nullable(Float64) COMMENT 'Mean round trip in ms; NULL when none was reported.' CODEC(ZSTD(1)),
    `caller_mos` Nullable(Float64) COMMENT 'Mean opinion score of what the caller received; NULL when none was reported.' CODEC(ZSTD(1)),
    `caller_loss_percent` Nullable(Float64) COMMENT 'Likewise the share of packets lost.' CODEC(ZSTD(1)),
    `caller_jitter_ms` Nullable(Float64) COMMENT 'Likewise the jitter.' CODEC(ZSTD(1)),
    `callee_mos` Nullable(Float64) COMMENT 'Mean opinion score of what the callee received; NULL when none was reported.' CODEC(ZSTD(1)),
    `callee_loss_percent` Nullable(Float64) COMMENT 'Likewise the share of packets lost.' CODEC(ZSTD(1)),
    `callee_jitter_ms` Nullable(Float64) COMMENT 'Likewise the jitter.' CODEC(ZSTD(1)),
    `provisional` Nullable(DateTime64(6, 'UTC')) COMMENT 'First 1xx, 100 included; NULL when none.' CODEC(ZSTD(1)),
    `ruri_domain` LowCardinality(String) COMMENT 'Host of the opening Request-URI.' CODEC(ZSTD(1)),
    `pai_user` String COMMENT 'User part of P-Asserted-Identity of the opening request.' CODEC(ZSTD(1)),
    `diversion` LowCardinality(String) COMMENT 'User part of its Diversion, else of its last History-Info.' CODEC(ZSTD(1)),
    `last_src_ip` IPv6 COMMENT 'Sender on the last hop of the last leg.' CODEC(ZSTD(1)),
    `last_src_port` UInt16 COMMENT 'Its port.' CODEC(ZSTD(1)),
    `last_dst_ip` IPv6 COMMENT 'Receiver on the last hop of the last leg.' CODEC(ZSTD(1)),
    `last_dst_port` UInt16 COMMENT 'Its port.' CODEC(ZSTD(1)),
    `transport` LowCardinality(String) COMMENT 'Transport of the first hop.' CODEC(ZSTD(1)),
    `media_addresses` Array(String) COMMENT 'Addresses that its SDP announced, as ip:port.' CODEC(ZSTD(1)),
    `correlation_ids` Array(String) COMMENT 'Correlation ids of its legs.' CODEC(ZSTD(1)),
    `leg_reasons` Array(LowCardinality(String)) COMMENT 'For each of call_ids what links that leg to one before it: correlation_id, a header\'s name, numbers, media; empty for the first.' CODEC(ZSTD(1)),
    `leg_confidences` Array(Float32) COMMENT 'How sure each link is, 0 to 1.' CODEC(ZSTD(1)),
    `leg_statuses` Array(UInt16) COMMENT 'Final status of each leg; 0 when none arrived.' CODEC(ZSTD(1)),
    `tries` UInt64 COMMENT 'Opening requests of the caller: challenges and redirects make it more than one.' CODEC(ZSTD(1)),
    `bye_answered` UInt8 COMMENT '1 when the first BYE got a 2xx.' CODEC(ZSTD(1)),
    `opened` UInt8 COMMENT '1 when the opening was seen.' CODEC(ZSTD(1)),
    `version` UInt64 COMMENT 'When it was computed, in µs since the epoch by the server\'s clock: the newest row holds.' CODEC(Delta(8), ZSTD(1)),
    `deleted` UInt8 COMMENT '1: there is no such row any more.' CODEC(ZSTD(1)),
    INDEX idx_correlation_id `correlation_id` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_call_ids `call_ids` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_from_user `from_user` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_to_user `to_user` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_ruri_user `ruri_user` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_src_ip `src_ip` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_dst_ip `dst_ip` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_correlation_ids `correlation_ids` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_version `version` TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, deleted)
PARTITION BY toDate(start)
ORDER BY (toStartOfHour(start), tenant, correlation_id)
TTL toDateTime(start) + toIntervalDay(90)
SETTINGS index_granularity = 1024, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'Calls as they were computed, newest version last: read them through the view calls.';

-- table registration_rows: Attempts to register as they were computed: read them through the view registrations.
CREATE TABLE IF NOT EXISTS {db}.`registration_rows`
(
    `tenant` LowCardinality(String) COMMENT 'Whose traffic it is.' CODEC(ZSTD(1)),
    `call_id` String COMMENT 'Call-ID.' CODEC(ZSTD(1)),
    `cseq` UInt32 COMMENT 'CSeq number of the attempt\'s first request.' CODEC(ZSTD(1)),
    `start` DateTime64(6, 'UTC') COMMENT 'First request.' CODEC(Delta(8), ZSTD(1)),
    `last_seen` DateTime64(6, 'UTC') COMMENT 'Last message.' CODEC(Delta(8), ZSTD(1)),
    `user` String COMMENT 'User part of the address of record.' CODEC(ZSTD(1)),
    `domain` LowCardinality(String) COMMENT 'Its host.' CODEC(ZSTD(1)),
    `contact` String COMMENT 'Binding as user@host:port.' CODEC(ZSTD(1)),
    `src_ip` IPv6 COMMENT 'Sender of the request.' CODEC(ZSTD(1)),
    `src_port` UInt16 COMMENT 'Its port.' CODEC(ZSTD(1)),
    `dst_ip` IPv6 COMMENT 'Receiver of the request: the registrar, or a proxy.' CODEC(ZSTD(1)),
    `dst_port` UInt16 COMMENT 'Its port.' CODEC(ZSTD(1)),
    `transport` LowCardinality(String) COMMENT 'Transport of the request.' CODEC(ZSTD(1)),
    `user_agent` LowCardinality(String) COMMENT 'User-Agent header.' CODEC(ZSTD(1)),
    `nodes` Array(LowCardinality(String)) COMMENT 'Capture agents that reported it.' CODEC(ZSTD(1)),
    `outcome` LowCardinality(String) COMMENT 'registered, deregistered, failed, unanswered or in_progress.' CODEC(ZSTD(1)),
    `status` UInt16 COMMENT 'Final response; 0 when none came.' CODEC(ZSTD(1)),
    `cause` LowCardinality(String) COMMENT 'Its reason phrase.' CODEC(ZSTD(1)),
    `expires` UInt32 COMMENT 'What the registrar granted, else what was asked for, in s.' CODEC(ZSTD(1)),
    `rrd_ms` Nullable(Float64) COMMENT 'Registration request delay (RFC 6076 section 4.1), challenges included, in ms; NULL when it did not succeed.' CODEC(ZSTD(1)),
    `ineffective` UInt8 COMMENT '1: a failed attempt by RFC 6076 section 4.2.' CODEC(ZSTD(1)),
    `requests` UInt64 COMMENT 'Distinct requests of the attempt.' CODEC(ZSTD(1)),
    `challenged` UInt8 COMMENT '1 when there was a challenge among the responses.' CODEC(ZSTD(1)),
    `messages` UInt64 COMMENT 'SIP messages, copies by several agents included.' CODEC(ZSTD(1)),
    `retransmissions` UInt64 COMMENT 'Messages that the same sender had sent before.' CODEC(ZSTD(1)),
    `version` UInt64 COMMENT 'When it was computed, in µs since the epoch by the server\'s clock: the newest row holds.' CODEC(Delta(8), ZSTD(1)),
    `deleted` UInt8 COMMENT '1: there is no such row any more.' CODEC(ZSTD(1)),
    INDEX idx_call_id `call_id` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_user `user` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_src_ip `src_ip` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_dst_ip `dst_ip` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_version `version` TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, deleted)
PARTITION BY toDate(start)
ORDER BY (toStartOfHour(start), tenant, call_id, start)
TTL toDateTime(start) + toIntervalDay(90)
SETTINGS index_granularity = 1024, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'Attempts to register as they were computed: read them through the view registrations.';

-- table assembler: Which process makes calls of legs, and how far it is: the newest row holds.
CREATE TABLE IF NOT EXISTS {db}.`assembler`
(
    `time` DateTime64(6, 'UTC') COMMENT 'When this was so, by the server\'s clock.' CODEC(ZSTD(1)),
    `holder` String COMMENT 'The process that works.' CODEC(ZSTD(1)),
    `done` DateTime64(6, 'UTC') COMMENT 'Legs touched before this are in call_rows.' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (time, holder)
TTL toDateTime(time) + toIntervalDay(2)
SETTINGS index_granularity = 2048, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'Which process makes calls of legs, and how far it is: the newest row holds.';

-- table messages_1m: SIP messages by minute.
CREATE TABLE IF NOT EXISTS {db}.`messages_1m`
(
    `bucket` DateTime('UTC') COMMENT 'The minute.' CODEC(Delta(4), ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'Whose traffic it is.' CODEC(ZSTD(1)),
    `node` LowCardinality(String) COMMENT 'Name of the capture agent.' CODEC(ZSTD(1)),
    `cseq_method` LowCardinality(String) COMMENT 'Method of the CSeq header.' CODEC(ZSTD(1)),
    `status` UInt16 COMMENT 'Status code; 0 for requests.' CODEC(ZSTD(1)),
    `messages` UInt64 COMMENT 'How many.' CODEC(ZSTD(1))
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(bucket)
ORDER BY (tenant, bucket, node, cseq_method, status)
TTL toDateTime(bucket) + toIntervalDay(730)
SETTINGS index_granularity = 2048, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'SIP messages by minute.';

-- table kpi_1m: Sums of calls by minute, tenant and one dimension at a time.
CREATE TABLE IF NOT EXISTS {db}.`kpi_1m`
(
    `bucket` DateTime('UTC') COMMENT 'Start of the interval: what began in it is counted.' CODEC(Delta(4), ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'Whose traffic it is.' CODEC(ZSTD(1)),
    `dim` LowCardinality(String) COMMENT 'What value is of: all, node, src_ip, dst_ip, user_agent, prefix, final_status, released_by.' CODEC(ZSTD(1)),
    `value` String COMMENT 'The value; empty for all.' CODEC(ZSTD(1)),
    `attempts` Float64 COMMENT 'INVITE calls whose opening was seen.' CODEC(ZSTD(1)),
    `pending` Float64 COMMENT 'Of these, without an outcome yet.' CODEC(ZSTD(1)),
    `answered` Float64 COMMENT 'Final response 2xx.' CODEC(ZSTD(1)),
    `redirected` Float64 COMMENT 'Final response 3xx.' CODEC(ZSTD(1)),
    `cancelled` Float64 COMMENT 'Given up by the caller.' CODEC(ZSTD(1)),
    `failed` Float64 COMMENT 'Failed, redirected included.' CODEC(ZSTD(1)),
    `unanswered` Float64 COMMENT 'No final response.' CODEC(ZSTD(1)),
    `final_4xx` Float64 COMMENT 'Final response 4xx.' CODEC(ZSTD(1)),
    `final_5xx` Float64 COMMENT 'Final response 5xx.' CODEC(ZSTD(1)),
    `final_6xx` Float64 COMMENT 'Final response 6xx.' CODEC(ZSTD(1)),
    `effective` Float64 COMMENT 'Final response 200, 480, 486, 600 or 603.' CODEC(ZSTD(1)),
    `ineffective` Float64 COMMENT 'Final response 408, 500, 503 or 504.' CODEC(ZSTD(1)),
    `delivered` Float64 COMMENT 'Answered, or the user called was reached.' CODEC(ZSTD(1)),
    `ended` Float64 COMMENT 'Answered, and over.' CODEC(ZSTD(1)),
    `active` Float64 COMMENT 'Answered, and up.' CODEC(ZSTD(1)),
    `completed` Float64 COMMENT 'Ended by a BYE that got a 2xx.' CODEC(ZSTD(1)),
    `talk_seconds` Float64 COMMENT 'Time from the answer to the BYE, of those ended.' CODEC(ZSTD(1)),
    `call_messages` Float64 COMMENT 'SIP messages of calls, copies included.' CODEC(ZSTD(1)),
    `retransmissions` Float64 COMMENT 'Of these, what the same sender had sent before.' CODEC(ZSTD(1)),
    `mos_sum` Float64 COMMENT 'Mean opinion scores of calls that have one, added up.' CODEC(ZSTD(1)),
    `mos_count` Float64 COMMENT 'How many calls have one.' CODEC(ZSTD(1)),
    `jitter_sum` Float64 COMMENT 'Jitter of calls that have one, in ms.' CODEC(ZSTD(1)),
    `loss_sum` Float64 COMMENT 'Share lost of calls that have one, in percent.' CODEC(ZSTD(1)),
    `reception_count` Float64 COMMENT 'How many calls have the two.' CODEC(ZSTD(1)),
    `srd` AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8) COMMENT 'Session request delay in ms, for quantiles.' CODEC(ZSTD(1)),
    `pdd` AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8) COMMENT 'Post-dial delay in ms, likewise.' CODEC(ZSTD(1)),
    `sdd` AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8) COMMENT 'Session disconnect delay in ms, likewise.' CODEC(ZSTD(1)),
    `sdt` AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8) COMMENT 'Session duration time in s, likewise.' CODEC(ZSTD(1)),
    `version` UInt64 COMMENT 'When it was computed, in µs since the epoch: the newest row holds.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(bucket)
ORDER BY (dim, tenant, bucket, value)
TTL toDateTime(bucket) + toIntervalDay(90)
SETTINGS index_granularity = 2048, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'Sums of calls by minute, tenant and one dimension at a time.';

-- table kpi_1h: Sums of calls by hour, tenant and one dimension at a time.
CREATE TABLE IF NOT EXISTS {db}.`kpi_1h`
(
    `bucket` DateTime('UTC') COMMENT 'Start of the interval: what began in it is counted.' CODEC(Delta(4), ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'Whose traffic it is.' CODEC(ZSTD(1)),
    `dim` LowCardinality(String) COMMENT 'What value is of: all, node, src_ip, dst_ip, user_agent, prefix, final_status, released_by.' CODEC(ZSTD(1)),
    `value` String COMMENT 'The value; empty for all.' CODEC(ZSTD(1)),
    `attempts` Float64 COMMENT 'INVITE calls whose opening was seen.' CODEC(ZSTD(1)),
    `pending` Float64 COMMENT 'Of these, without an outcome yet.' CODEC(ZSTD(1)),
    `answered` Float64 COMMENT 'Final response 2xx.' CODEC(ZSTD(1)),
    `redirected` Float64 COMMENT 'Final response 3xx.' CODEC(ZSTD(1)),
    `cancelled` Float64 COMMENT 'Given up by the caller.' CODEC(ZSTD(1)),
    `failed` Float64 COMMENT 'Failed, redirected included.' CODEC(ZSTD(1)),
    `unanswered` Float64 COMMENT 'No final response.' CODEC(ZSTD(1)),
    `final_4xx` Float64 COMMENT 'Final response 4xx.' CODEC(ZSTD(1)),
    `final_5xx` Float64 COMMENT 'Final response 5xx.' CODEC(ZSTD(1)),
    `final_6xx` Float64 COMMENT 'Final response 6xx.' CODEC(ZSTD(1)),
    `effective` Float64 COMMENT 'Final response 200, 480, 486, 600 or 603.' CODEC(ZSTD(1)),
    `ineffective` Float64 COMMENT 'Final response 408, 500, 503 or 504.' CODEC(ZSTD(1)),
    `delivered` Float64 COMMENT 'Answered, or the user called was reached.' CODEC(ZSTD(1)),
    `ended` Float64 COMMENT 'Answered, and over.' CODEC(ZSTD(1)),
    `active` Float64 COMMENT 'Answered, and up.' CODEC(ZSTD(1)),
    `completed` Float64 COMMENT 'Ended by a BYE that got a 2xx.' CODEC(ZSTD(1)),
    `talk_seconds` Float64 COMMENT 'Time from the answer to the BYE, of those ended.' CODEC(ZSTD(1)),
    `call_messages` Float64 COMMENT 'SIP messages of calls, copies included.' CODEC(ZSTD(1)),
    `retransmissions` Float64 COMMENT 'Of these, what the same sender had sent before.' CODEC(ZSTD(1)),
    `mos_sum` Float64 COMMENT 'Mean opinion scores of calls that have one, added up.' CODEC(ZSTD(1)),
    `mos_count` Float64 COMMENT 'How many calls have one.' CODEC(ZSTD(1)),
    `jitter_sum` Float64 COMMENT 'Jitter of calls that have one, in ms.' CODEC(ZSTD(1)),
    `loss_sum` Float64 COMMENT 'Share lost of calls that have one, in percent.' CODEC(ZSTD(1)),
    `reception_count` Float64 COMMENT 'How many calls have the two.' CODEC(ZSTD(1)),
    `srd` AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8) COMMENT 'Session request delay in ms, for quantiles.' CODEC(ZSTD(1)),
    `pdd` AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8) COMMENT 'Post-dial delay in ms, likewise.' CODEC(ZSTD(1)),
    `sdd` AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8) COMMENT 'Session disconnect delay in ms, likewise.' CODEC(ZSTD(1)),
    `sdt` AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8) COMMENT 'Session duration time in s, likewise.' CODEC(ZSTD(1)),
    `version` UInt64 COMMENT 'When it was computed, in µs since the epoch: the newest row holds.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(bucket)
ORDER BY (dim, tenant, bucket, value)
TTL toDateTime(bucket) + toIntervalDay(730)
SETTINGS index_granularity = 2048, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'Sums of calls by hour, tenant and one dimension at a time.';

-- table kpi_1d: Sums of calls by day, tenant and one dimension at a time.
CREATE TABLE IF NOT EXISTS {db}.`kpi_1d`
(
    `bucket` DateTime('UTC') COMMENT 'Start of the interval: what began in it is counted.' CODEC(Delta(4), ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'Whose traffic it is.' CODEC(ZSTD(1)),
    `dim` LowCardinality(String) COMMENT 'What value is of: all, node, src_ip, dst_ip, user_agent, prefix, final_status, released_by.' CODEC(ZSTD(1)),
    `value` String COMMENT 'The value; empty for all.' CODEC(ZSTD(1)),
    `attempts` Float64 COMMENT 'INVITE calls whose opening was seen.' CODEC(ZSTD(1)),
    `pending` Float64 COMMENT 'Of these, without an outcome yet.' CODEC(ZSTD(1)),
    `answered` Float64 COMMENT 'Final response 2xx.' CODEC(ZSTD(1)),
    `redirected` Float64 COMMENT 'Final response 3xx.' CODEC(ZSTD(1)),
    `cancelled` Float64 COMMENT 'Given up by the caller.' CODEC(ZSTD(1)),
    `failed` Float64 COMMENT 'Failed, redirected included.' CODEC(ZSTD(1)),
    `unanswered` Float64 COMMENT 'No final response.' CODEC(ZSTD(1)),
    `final_4xx` Float64 COMMENT 'Final response 4xx.' CODEC(ZSTD(1)),
    `final_5xx` Float64 COMMENT 'Final response 5xx.' CODEC(ZSTD(1)),
    `final_6xx` Float64 COMMENT 'Final response 6xx.' CODEC(ZSTD(1)),
    `effective` Float64 COMMENT 'Final response 200, 480, 486, 600 or 603.' CODEC(ZSTD(1)),
    `ineffective` Float64 COMMENT 'Final response 408, 500, 503 or 504.' CODEC(ZSTD(1)),
    `delivered` Float64 COMMENT 'Answered, or the user called was reached.' CODEC(ZSTD(1)),
    `ended` Float64 COMMENT 'Answered, and over.' CODEC(ZSTD(1)),
    `active` Float64 COMMENT 'Answered, and up.' CODEC(ZSTD(1)),
    `completed` Float64 COMMENT 'Ended by a BYE that got a 2xx.' CODEC(ZSTD(1)),
    `talk_seconds` Float64 COMMENT 'Time from the answer to the BYE, of those ended.' CODEC(ZSTD(1)),
    `call_messages` Float64 COMMENT 'SIP messages of calls, copies included.' CODEC(ZSTD(1)),
    `retransmissions` Float64 COMMENT 'Of these, what the same sender had sent before.' CODEC(ZSTD(1)),
    `mos_sum` Float64 COMMENT 'Mean opinion scores of calls that have one, added up.' CODEC(ZSTD(1)),
    `mos_count` Float64 COMMENT 'How many calls have one.' CODEC(ZSTD(1)),
    `jitter_sum` Float64 COMMENT 'Jitter of calls that have one, in ms.' CODEC(ZSTD(1)),
    `loss_sum` Float64 COMMENT 'Share lost of calls that have one, in percent.' CODEC(ZSTD(1)),
    `reception_count` Float64 COMMENT 'How many calls have the two.' CODEC(ZSTD(1)),
    `srd` AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8) COMMENT 'Session request delay in ms, for quantiles.' CODEC(ZSTD(1)),
    `pdd` AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8) COMMENT 'Post-dial delay in ms, likewise.' CODEC(ZSTD(1)),
    `sdd` AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8) COMMENT 'Session disconnect delay in ms, likewise.' CODEC(ZSTD(1)),
    `sdt` AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8) COMMENT 'Session duration time in s, likewise.' CODEC(ZSTD(1)),
    `version` UInt64 COMMENT 'When it was computed, in µs since the epoch: the newest row holds.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(bucket)
ORDER BY (dim, tenant, bucket, value)
TTL toDateTime(bucket) + toIntervalDay(3650)
SETTINGS index_granularity = 2048, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'Sums of calls by day, tenant and one dimension at a time.';

-- table registrations_1m: Sums of registrations by minute, tenant and one dimension at a time.
CREATE TABLE IF NOT EXISTS {db}.`registrations_1m`
(
    `bucket` DateTime('UTC') COMMENT 'Start of the interval: what began in it is counted.' CODEC(Delta(4), ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'Whose traffic it is.' CODEC(ZSTD(1)),
    `dim` LowCardinality(String) COMMENT 'What value is of: all, node, src_ip, dst_ip, user_agent, status.' CODEC(ZSTD(1)),
    `value` String COMMENT 'The value; empty for all.' CODEC(ZSTD(1)),
    `attempts` Float64 COMMENT 'Attempts to register.' CODEC(ZSTD(1)),
    `pending` Float64 COMMENT 'Of these, without an outcome yet.' CODEC(ZSTD(1)),
    `succeeded` Float64 COMMENT '2xx.' CODEC(ZSTD(1)),
    `failures` Float64 COMMENT 'A final 3xx to 6xx, or none.' CODEC(ZSTD(1)),
    `ineffective` Float64 COMMENT 'Failed attempts by RFC 6076 section 4.2.' CODEC(ZSTD(1)),
    `challenged` Float64 COMMENT 'Attempts that were challenged.' CODEC(ZSTD(1)),
    `rrd` AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8) COMMENT 'Registration request delay in ms, for quantiles.' CODEC(ZSTD(1)),
    `version` UInt64 COMMENT 'When it was computed, in µs since the epoch: the newest row holds.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(bucket)
ORDER BY (dim, tenant, bucket, value)
TTL toDateTime(bucket) + toIntervalDay(90)
SETTINGS index_granularity = 2048, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'Sums of registrations by minute, tenant and one dimension at a time.';

-- table registrations_1h: Sums of registrations by hour, tenant and one dimension at a time.
CREATE TABLE IF NOT EXISTS {db}.`registrations_1h`
(
    `bucket` DateTime('UTC') COMMENT 'Start of the interval: what began in it is counted.' CODEC(Delta(4), ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'Whose traffic it is.' CODEC(ZSTD(1)),
    `dim` LowCardinality(String) COMMENT 'What value is of: all, node, src_ip, dst_ip, user_agent, status.' CODEC(ZSTD(1)),
    `value` String COMMENT 'The value; empty for all.' CODEC(ZSTD(1)),
    `attempts` Float64 COMMENT 'Attempts to register.' CODEC(ZSTD(1)),
    `pending` Float64 COMMENT 'Of these, without an outcome yet.' CODEC(ZSTD(1)),
    `succeeded` Float64 COMMENT '2xx.' CODEC(ZSTD(1)),
    `failures` Float64 COMMENT 'A final 3xx to 6xx, or none.' CODEC(ZSTD(1)),
    `ineffective` Float64 COMMENT 'Failed attempts by RFC 6076 section 4.2.' CODEC(ZSTD(1)),
    `challenged` Float64 COMMENT 'Attempts that were challenged.' CODEC(ZSTD(1)),
    `rrd` AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8) COMMENT 'Registration request delay in ms, for quantiles.' CODEC(ZSTD(1)),
    `version` UInt64 COMMENT 'When it was computed, in µs since the epoch: the newest row holds.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(bucket)
ORDER BY (dim, tenant, bucket, value)
TTL toDateTime(bucket) + toIntervalDay(730)
SETTINGS index_granularity = 2048, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'Sums of registrations by hour, tenant and one dimension at a time.';

-- table registrations_1d: Sums of registrations by day, tenant and one dimension at a time.
CREATE TABLE IF NOT EXISTS {db}.`registrations_1d`
(
    `bucket` DateTime('UTC') COMMENT 'Start of the interval: what began in it is counted.' CODEC(Delta(4), ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'Whose traffic it is.' CODEC(ZSTD(1)),
    `dim` LowCardinality(String) COMMENT 'What value is of: all, node, src_ip, dst_ip, user_agent, status.' CODEC(ZSTD(1)),
    `value` String COMMENT 'The value; empty for all.' CODEC(ZSTD(1)),
    `attempts` Float64 COMMENT 'Attempts to register.' CODEC(ZSTD(1)),
    `pending` Float64 COMMENT 'Of these, without an outcome yet.' CODEC(ZSTD(1)),
    `succeeded` Float64 COMMENT '2xx.' CODEC(ZSTD(1)),
    `failures` Float64 COMMENT 'A final 3xx to 6xx, or none.' CODEC(ZSTD(1)),
    `ineffective` Float64 COMMENT 'Failed attempts by RFC 6076 section 4.2.' CODEC(ZSTD(1)),
    `challenged` Float64 COMMENT 'Attempts that were challenged.' CODEC(ZSTD(1)),
    `rrd` AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), Float64, UInt8) COMMENT 'Registration request delay in ms, for quantiles.' CODEC(ZSTD(1)),
    `version` UInt64 COMMENT 'When it was computed, in µs since the epoch: the newest row holds.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(bucket)
ORDER BY (dim, tenant, bucket, value)
TTL toDateTime(bucket) + toIntervalDay(3650)
SETTINGS index_granularity = 2048, index_granularity_bytes = 4194304, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 10000, allow_suspicious_low_cardinality_types = 1
COMMENT 'Sums of registrations by day, tenant and one dimension at a time.';

-- feed legs_feed: Messages of calls and registrations, into legs.
CREATE MATERIALIZED VIEW IF NOT EXISTS {db}.`legs_feed` TO {db}.`legs` AS
SELECT
    toStartOfTenMinutes(time) AS slot,
    tenant,
    call_id,
    now64(6, 'UTC') AS touched,
    min(time) AS first,
    max(time) AS last,
    groupArray((toUnixTimestamp64Micro(time), toUInt8(transform(if(method != '', method, cseq_method), ['INVITE', 'ACK', 'BYE', 'CANCEL', 'PRACK', 'UPDATE', 'REFER', 'INFO', 'NOTIFY', 'REGISTER'], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0)), status, cseq, if(from_tag = '', 0, toUInt32(cityHash64(from_tag))), if(to_tag = '', 0, toUInt32(cityHash64(to_tag))), if(via_branch = '', 0, toUInt32(cityHash64(via_branch))),
        toUInt32(cityHash64(toString(src_ip)) + src_port * 2654435761), toUInt32(cityHash64(toString(dst_ip)) + dst_port * 2654435761), toUInt32(cityHash64(node) + capture_id), if(sdp = '', 0, toUInt32(cityHash64(sdp))), expires)) AS events,
    groupUniqArrayIf(if(node != '', node, toString(capture_id)), node != '' OR capture_id != 0) AS nodes,
    groupUniqArrayIf(if(user_agent != '', toString(user_agent), toString(server)), user_agent != '' OR server != '') AS user_agents
FROM {db}.`sip`
WHERE cseq_method IN ('INVITE', 'ACK', 'BYE', 'CANCEL', 'PRACK', 'UPDATE', 'REFER', 'INFO', 'NOTIFY', 'REGISTER') AND call_id != ''
GROUP BY slot, tenant, call_id
COMMENT 'Messages of calls and registrations, into legs.';

-- feed facts_feed: What opening requests, final responses and session descriptions say, into legs.
CREATE MATERIALIZED VIEW IF NOT EXISTS {db}.`facts_feed` TO {db}.`legs` AS
SELECT
    toStartOfTenMinutes(time) AS slot,
    tenant,
    call_id,
    now64(6, 'UTC') AS touched,
    min(time) AS first,
    max(time) AS last,
    max(concat(if((method NOT IN ('', 'ACK', 'BYE', 'CANCEL', 'PRACK') AND to_tag = ''), '1', '0'), if(via_host = replaceOne(toString(src_ip), '::ffff:', ''), '1', '0'), if(status = 0, '1', '0'), hex(bitNot(toUnixTimestamp64Micro(time))), '\x1f', method, '\x1f', from_user, '\x1f', from_domain, '\x1f', to_user, '\x1f', to_domain, '\x1f', ruri_user, '\x1f', ruri_domain, '\x1f', pai_user, '\x1f', diversion, '\x1f', contact_user, '\x1f', contact_host, '\x1f', toString(contact_port), '\x1f', toString(src_ip), '\x1f', toString(src_port), '\x1f', toString(dst_ip), '\x1f', toString(dst_port), '\x1f', transport, '\x1f', user_agent)) AS opening,
    groupUniqArrayArrayIf([(toUInt32(cityHash64(toString(src_ip)) + src_port * 2654435761), toIPv6(src_ip), src_port), (toUInt32(cityHash64(toString(dst_ip)) + dst_port * 2654435761), toIPv6(dst_ip), dst_port)], (method NOT IN ('', 'ACK', 'BYE', 'CANCEL', 'PRACK') AND to_tag = '')) AS addresses,
    groupUniqArrayIf(correlation_id, correlation_id != call_id AND correlation_id != '') AS correlation_ids,
    groupUniqArrayArrayIf(arrayFilter(l -> l != '', [if(match(headers['Session-ID'], '[1-9a-fA-F]'), concat('session-id:', headers['Session-ID']), ''), if(match(headers['Session-ID.remote'], '[1-9a-fA-F]'), concat('session-id:', headers['Session-ID.remote']), ''), if(headers['P-Charging-Vector.icid-value'] != '', concat('icid:', headers['P-Charging-Vector.icid-value']), ''), if(headers['Replaces'] != '', concat('replaces:', splitByChar(';', headers['Replaces'])[1]), ''), if(headers['X-CID'] != '', concat('x-cid:', headers['X-CID']), '')]), notEmpty(headers)) AS link_ids,
    groupUniqArrayIf((status, toString(reason)), status >= 200) AS reasons,
    maxIf(bitOr(bitShiftLeft(toUInt64(toUnixTimestamp64Micro(time)), 12), least(s.q850, 4095)), s.q850 > 0) AS q850,
    maxIf(concat(leftPad(hex(toUnixTimestamp64Micro(time)), 16, '0'), sdp), sdp != '' AND status = 0) AS offered,
    maxIf(concat(leftPad(hex(toUnixTimestamp64Micro(time)), 16, '0'), sdp), sdp != '' AND status > 0) AS answered,
    groupUniqArrayIf(toString(server), server != '' AND user_agent != '') AS user_agents,
    groupUniqArrayArrayIf(arrayMap(m -> splitByChar(' ', m)[2], splitByString(', ', sdp)), sdp != '') AS media
FROM {db}.`sip` AS s
WHERE cseq_method IN ('INVITE', 'ACK', 'BYE', 'CANCEL', 'PRACK', 'UPDATE', 'REFER', 'INFO', 'NOTIFY', 'REGISTER') AND call_id != ''
    AND ((method NOT IN ('', 'ACK', 'BYE', 'CANCEL', 'PRACK') AND to_tag = '') OR (status >= 200 AND cseq_method IN ('INVITE', 'REGISTER')) OR method = 'BYE' OR s.q850 > 0 OR s.sdp != '' OR correlation_id != call_id)
GROUP BY slot, tenant, call_id
COMMENT 'What opening requests, final responses and session descriptions say, into legs.';

-- feed links_feed: What ties legs together, into leg_links.
CREATE MATERIALIZED VIEW IF NOT EXISTS {db}.`links_feed` TO {db}.`leg_links` AS
SELECT slot, tenant, arrayJoin(arrayDistinct(arrayConcat(correlation_ids, arrayMap(l -> substring(l, position(l, ':') + 1), link_ids)))) AS key, call_id, touched
FROM {db}.`legs`
WHERE notEmpty(correlation_ids) OR notEmpty(link_ids)
COMMENT 'What ties legs together, into leg_links.';

-- feed reports_feed: Quality reports, into leg_reports.
CREATE MATERIALIZED VIEW IF NOT EXISTS {db}.`reports_feed` TO {db}.`leg_reports` AS
SELECT
    toStartOfTenMinutes(time) AS slot,
    tenant,
    if(m.call_id != '', m.call_id, m.correlation_id) AS call_id,
    now64(6, 'UTC') AS touched,
    groupArray((toUnixTimestamp64Micro(time), toIPv6(src_ip), src_port, ssrc, reporter, mos, fraction_lost, jitter_ms, rtt_ms, (source NOT IN ('rtcp', 'hep-qos') OR ssrc != reporter AND report != 'feedback'))) AS reports
FROM {db}.`media` AS m
WHERE (m.call_id != '' OR m.correlation_id != '') AND report != 'feedback'
GROUP BY slot, tenant, call_id
COMMENT 'Quality reports, into leg_reports.';

-- feed messages_feed: Messages by minute, into messages_1m.
CREATE MATERIALIZED VIEW IF NOT EXISTS {db}.`messages_feed` TO {db}.`messages_1m` AS
SELECT toStartOfMinute(time) AS bucket, tenant, node, cseq_method, status, count() AS messages
FROM {db}.`sip`
GROUP BY bucket, tenant, node, cseq_method, status
COMMENT 'Messages by minute, into messages_1m.';

-- view calls, new: One row per call: every message of every leg that correlation reaches.
CREATE OR REPLACE VIEW {db}.`calls` AS
SELECT
    r.`tenant` AS `tenant`,
    r.`correlation_id` AS `correlation_id`,
    r.`call_ids` AS `call_ids`,
    r.`method` AS `method`,
    r.`start` AS `start`,
    r.`ring` AS `ring`,
    r.`answer` AS `answer`,
    r.`end` AS `end`,
    r.`last_seen` AS `last_seen`,
    r.`pdd_ms` AS `pdd_ms`,
    r.`srd_ms` AS `srd_ms`,
    r.`ring_ms` AS `ring_ms`,
    r.`duration_s` AS `duration_s`,
    r.`sdd_ms` AS `sdd_ms`,
    multiIf(
        r.outcome = 'in_progress' AND isNull(r.answer) AND r.last_seen < now64(6) - toIntervalSecond(if(isNull(r.ring), 32, 180)), 'unanswered',
        r.outcome = 'in_progress' AND r.last_seen < now64(6) - toIntervalHour(24), 'answered',
        r.outcome) AS `outcome`,
    r.`final_status` AS `final_status`,
    r.`final_reason` AS `final_reason`,
    r.`q850` AS `q850`,
    r.`released_by` AS `released_by`,
    r.`from_user` AS `from_user`,
    r.`from_domain` AS `from_domain`,
    r.`to_user` AS `to_user`,
    r.`to_domain` AS `to_domain`,
    r.`ruri_user` AS `ruri_user`,
    r.`src_ip` AS `src_ip`,
    r.`src_port` AS `src_port`,
    r.`dst_ip` AS `dst_ip`,
    r.`dst_port` AS `dst_port`,
    r.`user_agents` AS `user_agents`,
    r.`codecs` AS `codecs`,
    r.`nodes` AS `nodes`,
    r.`messages` AS `messages`,
    r.`retransmissions` AS `retransmissions`,
    r.`hops` AS `hops`,
    r.`mos_min` AS `mos_min`,
    r.`mos_avg` AS `mos_avg`,
    r.`loss_percent` AS `loss_percent`,
    r.`jitter_ms` AS `jitter_ms`,
    r.`rtt_ms` AS `rtt_ms`,
    r.`caller_mos` AS `caller_mos`,
    r.`caller_loss_percent` AS `caller_loss_percent`,
    r.`caller_jitter_ms` AS `caller_jitter_ms`,
    r.`callee_mos` AS `callee_mos`,
    r.`callee_loss_percent` AS `callee_loss_percent`,
    r.`callee_jitter_ms` AS `callee_jitter_ms`,
    r.`provisional` AS `provisional`,
    r.`ruri_domain` AS `ruri_domain`,
    r.`pai_user` AS `pai_user`,
    r.`diversion` AS `diversion`,
    r.`last_src_ip` AS `last_src_ip`,
    r.`last_src_port` AS `last_src_port`,
    r.`last_dst_ip` AS `last_dst_ip`,
    r.`last_dst_port` AS `last_dst_port`,
    r.`transport` AS `transport`,
    r.`media_addresses` AS `media_addresses`,
    r.`correlation_ids` AS `correlation_ids`,
    r.`leg_reasons` AS `leg_reasons`,
    r.`leg_confidences` AS `leg_confidences`,
    r.`leg_statuses` AS `leg_statuses`,
    r.`tries` AS `tries`,
    r.`bye_answered` AS `bye_answered`,
    r.`opened` AS `opened`
FROM {db}.`call_rows` AS r FINAL
COMMENT 'One row per call: every message of every leg that correlation reaches.';

-- view registrations, new: One row per attempt of a user agent to register, to refresh or to remove a binding; a challenge and its answer are one attempt.
CREATE OR REPLACE VIEW {db}.`registrations` AS
SELECT
    r.`tenant` AS `tenant`,
    r.`call_id` AS `call_id`,
    r.`cseq` AS `cseq`,
    r.`start` AS `start`,
    r.`last_seen` AS `last_seen`,
    r.`user` AS `user`,
    r.`domain` AS `domain`,
    r.`contact` AS `contact`,
    r.`src_ip` AS `src_ip`,
    r.`src_port` AS `src_port`,
    r.`dst_ip` AS `dst_ip`,
    r.`dst_port` AS `dst_port`,
    r.`transport` AS `transport`,
    r.`user_agent` AS `user_agent`,
    r.`nodes` AS `nodes`,
    if(r.outcome = 'in_progress' AND r.last_seen < now64(6) - toIntervalSecond(32), 'unanswered', r.outcome) AS `outcome`,
    r.`status` AS `status`,
    r.`cause` AS `cause`,
    r.`expires` AS `expires`,
    r.`rrd_ms` AS `rrd_ms`,
    toUInt8(if(r.outcome = 'in_progress' AND r.last_seen < now64(6) - toIntervalSecond(32), 1, r.ineffective)) AS `ineffective`,
    r.`requests` AS `requests`,
    r.`challenged` AS `challenged`,
    r.`messages` AS `messages`,
    r.`retransmissions` AS `retransmissions`
FROM {db}.`registration_rows` AS r FINAL
COMMENT 'One row per attempt of a user agent to register, to refresh or to remove a binding; a challenge and its answer are one attempt.';

-- schema version 2: the migration is done
INSERT INTO {db}.`meta` (schema_version, schema_hash, binary_version, done) SELECT 2, 'f033408d38f9961dd624e4158f6c516490ec179d3d5e66d4dd3ff0d7a63370a3', 'dev', true;
