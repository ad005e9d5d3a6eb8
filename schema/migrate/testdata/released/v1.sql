
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

-- schema version 1: the migration begins
INSERT INTO {db}.`meta` (schema_version, schema_hash, binary_version, done) SELECT 1, '4291a4a688b0f360b4085d6bcd5dc8bf4647b127626825a365393ac06758feba', 'dev', false;

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
    `auth_user` LowCardinality(String) COMMENT 'User name of Authorization or Proxy-Authorization.' CODEC(ZSTD(1)),
    `diversion` LowCardinality(String) COMMENT 'User part of Diversion (RFC 5806), else of the last History-Info (RFC 7044).' CODEC(ZSTD(1)),
    `via_branch` String COMMENT 'Branch of the topmost Via.' CODEC(ZSTD(1)),
    `via_host` LowCardinality(String) COMMENT 'Host of the bottom-most Via: who began the request.' CODEC(ZSTD(1)),
    `via_port` UInt16 COMMENT 'Port of the bottom-most Via, 0 when it names none.' CODEC(ZSTD(1)),
    `content_type` LowCardinality(String) COMMENT 'Content-Type header.' CODEC(ZSTD(1)),
    `expires` UInt32 COMMENT 'Expires header, else the first Contact\'s expires parameter, in seconds; 0 when neither is there.' CODEC(ZSTD(1)),
    `q850` UInt16 COMMENT 'Cause of the Reason header with protocol Q.850 (RFC 3326), else of an ISUP body; 0 when none.' CODEC(ZSTD(1)),
    `reason_header` LowCardinality(String) COMMENT 'Reason header, whole (RFC 3326).' CODEC(ZSTD(1)),
    `sdp` LowCardinality(String) COMMENT 'One-line summary of the SDP body: media, address:port, codecs, direction; empty without SDP.' CODEC(ZSTD(1)),
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
    `report` LowCardinality(String) COMMENT 'Kind of report within the source: sr, rr, xr, bye, sdes, session, interval, …' CODEC(ZSTD(1)),
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

-- view calls, new: One row per call (or registration, subscription, …): every message of every leg that shares a correlation id.
CREATE OR REPLACE VIEW {db}.`calls` AS
-- Calls out of messages. See CallsQuery, which fills in the words between /* and */.
--
-- Tuples of requests are (time, method, from_tag, cseq, branch, sender), of
-- responses (time, status, reason, cseq_method, from_tag, cseq, branch, receiver).
--
-- Requests within a dialog carry a To tag, so they open nothing; ACK, BYE, CANCEL
-- and PRACK never do, nor do their responses say how the opening request fared.
WITH
    legs AS
    (
        SELECT
            tenant,
            call_id,
            minIf(correlation_id, correlation_id != call_id) AS other_id,
            min(time) AS leg_start,
            max(time) AS leg_last,
            count() AS leg_messages,
            toUInt64(count() - uniqExact(cityHash64(src_ip, src_port, dst_ip, dst_port, method, status, cseq, cseq_method, via_branch, from_tag, to_tag, sdp, node, capture_id))) AS leg_retransmissions,
            arraySort(groupArrayIf((time, method, from_tag, cseq, via_branch, (src_ip, src_port)), method NOT IN ('', 'ACK', 'BYE', 'CANCEL', 'PRACK') AND to_tag = '')) AS requests,
            arraySort(groupArrayIf((time, status, reason, cseq_method, from_tag, cseq, via_branch, (dst_ip, dst_port)), status > 0 AND cseq_method NOT IN ('', 'BYE', 'CANCEL', 'PRACK', 'INFO', 'UPDATE'))) AS responses,
            arraySort(groupArrayIf((time, via_branch), method = 'CANCEL')) AS cancels,
            minIf(time, method = 'BYE') AS bye,
            argMinIf(from_tag, time, method = 'BYE') AS bye_tag,
            minIf(time, cseq_method = 'BYE' AND status BETWEEN 200 AND 299) AS bye_ok,
            argMin(cseq_method, time) AS first_method,
            argMin(tuple(from_user, from_domain, to_user, to_domain), (to_tag != '', method = '', time)) AS parties,
            argMin(tuple(ruri_user, src_ip, src_port, dst_ip, dst_port), (method = '', to_tag != '', time)) AS opening_hop,
            groupUniqArrayIf((src_ip, src_port, dst_ip, dst_port), method = cseq_method AND method NOT IN ('', 'ACK', 'BYE', 'CANCEL', 'PRACK') AND to_tag = '') AS leg_hops,
            groupUniqArrayIf(user_agent, user_agent != '') AS agents,
            groupUniqArrayIf(server, server != '') AS servers,
            groupUniqArrayIf(if(node != '', node, toString(capture_id)), node != '' OR capture_id != 0) AS leg_nodes,
            argMaxIf(sdp, (status > 0, time), sdp != '') AS leg_sdp,
            argMaxIf(sip.q850, time, sip.q850 > 0) AS leg_q850
        FROM {db}.`sip` AS sip
        GROUP BY tenant, call_id
    ),
    -- The method that opened the leg, and the requests that tried.
    tried AS
    (
        SELECT
            *,
            if(other_id != '', other_id, call_id) AS call_key,
            multiIf(arrayExists(r -> r.2 = 'INVITE', requests), 'INVITE', notEmpty(requests), requests[1].2, first_method) AS leg_method,
            arrayFilter(r -> r.2 = leg_method, requests) AS tries
        FROM legs
    ),
    named AS
    (
        SELECT
            *,
            if(notEmpty(tries), tries[1].3, responses[1].5) AS caller_tag,
            if(notEmpty(tries), tries[1].1, leg_start) AS opened_at,
            arrayMap(r -> r.4, arrayFilter(r -> r.3 = caller_tag, tries)) AS numbers
        FROM tried
    ),
    -- The responses to them, on any hop.
    answers AS
    (
        SELECT
            *,
            arrayFilter(r -> r.4 = leg_method AND r.5 = caller_tag AND (empty(tries) OR has(numbers, r.6)), responses) AS answers
        FROM named
    ),
    last_tries AS
    (
        SELECT
            *,
            if(notEmpty(tries), arrayMax(numbers), arrayMax(r -> r.6, answers)) AS last_number,
            arrayFirst(r -> r.4 = last_number AND r.3 = caller_tag, tries) AS last_try,
            if(notEmpty(tries), last_try.5, arrayFirst(r -> r.6 = last_number, answers).7) AS branch
        FROM answers
    ),
    -- The responses on the first hop of the last try: what the caller was told.
    told AS
    (
        SELECT
            *,
            arrayFilter(r -> r.6 = last_number AND (r.7 = branch OR (r.7 = '' AND r.8 = last_try.6)), answers) AS told
        FROM last_tries
    ),
    finals AS
    (
        SELECT
            *,
            multiIf(
                arrayExists(r -> r.2 BETWEEN 200 AND 299, told), arrayFirst(r -> r.2 BETWEEN 200 AND 299, told),
                arrayExists(r -> r.2 BETWEEN 200 AND 299, answers), arrayFirst(r -> r.2 BETWEEN 200 AND 299, answers),
                arrayFirst(r -> r.2 >= 300, told)) AS final
        FROM told
    ),
    opened AS
    (
        SELECT
            *,
            arrayFirst(r -> r.2 IN (180, 183), told).1 AS rang,
            arrayFirst(r -> r.2 > 100 AND r.2 NOT IN (401, 402, 407), told).1 AS fares_at,
            arrayExists(c -> c.2 = branch AND (final.2 = 0 OR c.1 <= final.1 + toIntervalSecond(1)), cancels) AS is_cancelled,
            arrayExists(r -> r.2 >= 300 AND r.7 != branch, answers) AS failed_further_on
        FROM finals
    ),
    quality AS
    (
        SELECT
            tenant,
            if(call_id != '', call_id, correlation_id) AS quality_of,
            minIf(toFloat64(mos), mos > 0) AS leg_mos_min,
            sumIf(toFloat64(mos), mos > 0) AS leg_mos_sum,
            countIf(mos > 0) AS leg_mos_count,
            sumIf(toFloat64(fraction_lost), is_reception) AS leg_loss_sum,
            sumIf(toFloat64(jitter_ms), is_reception) AS leg_jitter_sum,
            countIf(is_reception) AS leg_reports
        FROM
        (
            -- An SR without report blocks, an SDES, a BYE or feedback says nothing of reception.
            SELECT *, source NOT IN ('rtcp', 'hep-qos') OR ssrc != reporter AND report != 'feedback' AS is_reception
            FROM {db}.`media` AS media
        )
        GROUP BY tenant, quality_of
    ),
    joined AS
    (
        SELECT
            tenant,
            call_key,
            min(leg_start) AS start_,
            max(leg_last) AS last_,
            arrayMap(l -> l.2, arraySort(groupArray((leg_start, call_id)))) AS call_ids_,
            argMin(tuple(leg_method, parties, opening_hop, opened_at, rang, fares_at, final, is_cancelled, failed_further_on, bye, if(bye_tag = caller_tag, 'caller', 'callee')), leg_start) AS leg_a,
            minIf(bye, bye > 0) AS any_bye,
            minIf(bye_ok, bye_ok > 0) AS any_bye_ok,
            sum(leg_messages) AS messages_,
            sum(leg_retransmissions) AS retransmissions_,
            groupUniqArrayArray(leg_hops) AS hops_,
            groupUniqArrayArray(arrayConcat(agents, servers)) AS user_agents_,
            groupUniqArrayArray(leg_nodes) AS nodes_,
            argMinIf(leg_sdp, leg_start, leg_sdp != '') AS sdp_,
            argMaxIf(leg_q850, leg_last, leg_q850 > 0) AS q850_,
            minIf(leg_mos_min, leg_mos_count > 0) AS mos_min_,
            sum(leg_mos_sum) AS mos_sum,
            sum(leg_mos_count) AS mos_count,
            sum(leg_loss_sum) AS loss_sum,
            sum(leg_jitter_sum) AS jitter_sum,
            sum(leg_reports) AS reports
        FROM opened
        LEFT JOIN quality ON quality.tenant = opened.tenant AND quality.quality_of = opened.call_id
        GROUP BY tenant, call_key
    ),
    first_legs AS
    (
        SELECT
            * EXCEPT (leg_a),
            toDateTime64(0, 6, 'UTC') AS never,
            leg_a.1 AS method_,
            leg_a.2 AS parties,
            leg_a.3 AS opening_hop,
            leg_a.4 AS opened_at,
            nullIf(leg_a.5, never) AS ring_,
            nullIf(leg_a.6, never) AS fares_at,
            leg_a.7.1 AS final_at,
            leg_a.7.2 AS status_,
            leg_a.7.3 AS reason_,
            leg_a.8 AS is_cancelled,
            leg_a.9 AS failed_further_on,
            nullIf(if(leg_a.10 > never, leg_a.10, any_bye), never) AS bye,
            leg_a.11 AS bye_by
        FROM joined
    ),
    flagged AS
    (
        SELECT
            *,
            method_ = 'INVITE' AS is_call,
            status_ BETWEEN 200 AND 299 AS is_answered,
            status_ >= 300 AS is_failed
        FROM first_legs
    ),
    figures AS
    (
        SELECT
            *,
            if(is_answered, final_at, NULL) AS answer_,
            multiIf(is_answered AND is_call, bye, is_failed, final_at, NULL) AS end_
        FROM flagged
    )
SELECT
    tenant,
    call_key AS correlation_id,
    call_ids_ AS call_ids,
    method_ AS method,
    start_ AS start,
    ring_ AS ring,
    answer_ AS answer,
    end_ AS end,
    last_ AS last_seen,
    dateDiff('microsecond', opened_at, ring_) / 1000 AS pdd_ms,
    dateDiff('microsecond', opened_at, fares_at) / 1000 AS srd_ms,
    dateDiff('microsecond', ring_, ifNull(answer_, end_)) / 1000 AS ring_ms,
    if(is_call, dateDiff('microsecond', answer_, ifNull(end_, last_)) / 1000000, NULL) AS duration_s,
    dateDiff('microsecond', bye, nullIf(any_bye_ok, never)) / 1000 AS sdd_ms,
    multiIf(
        is_answered AND is_call AND isNull(bye), 'in_progress',
        is_answered, 'answered',
        is_cancelled, 'cancelled',
        is_failed, 'failed',
        -- Still ringing: a proxy gives up after 3 minutes (timer C), a caller
        -- that hears nothing after 32 s (timer B).
        is_call AND last_ > now64(6) - toIntervalSecond(if(isNull(ring_), 32, 180)), 'in_progress',
        'unanswered') AS outcome,
    toUInt16(status_) AS final_status,
    reason_ AS final_reason,
    q850_ AS q850,
    multiIf(
        NOT is_call, '',
        is_answered AND isNotNull(bye), bye_by,
        is_answered, '',
        is_cancelled, 'caller',
        NOT is_failed, '',
        -- A failure that a further hop reported, or that only people and their
        -- phones give, is the callee's.
        failed_further_on OR status_ < 400 OR status_ IN (480, 486, 488, 600, 603, 604, 606), 'callee',
        'network') AS released_by,
    parties.1 AS from_user,
    parties.2 AS from_domain,
    parties.3 AS to_user,
    parties.4 AS to_domain,
    opening_hop.1 AS ruri_user,
    opening_hop.2 AS src_ip,
    opening_hop.3 AS src_port,
    opening_hop.4 AS dst_ip,
    opening_hop.5 AS dst_port,
    arraySort(user_agents_) AS user_agents,
    -- "audio 10.0.0.1:20000 PCMU,PCMA sendrecv, video …": codecs are the third word
    -- of four.
    if(length(splitByChar(' ', splitByString(', ', sdp_)[1])) = 4, splitByChar(',', splitByChar(' ', sdp_)[3]), []) AS codecs,
    arraySort(nodes_) AS nodes,
    messages_ AS messages,
    retransmissions_ AS retransmissions,
    length(hops_) AS hops,
    if(mos_count > 0, mos_min_, NULL) AS mos_min,
    if(mos_count > 0, mos_sum / mos_count, NULL) AS mos_avg,
    if(reports > 0, 100 * loss_sum / reports, NULL) AS loss_percent,
    if(reports > 0, jitter_sum / reports, NULL) AS jitter_ms
FROM figures
COMMENT 'One row per call (or registration, subscription, …): every message of every leg that shares a correlation id.';

-- schema version 1: the migration is done
INSERT INTO {db}.`meta` (schema_version, schema_hash, binary_version, done) SELECT 1, '4291a4a688b0f360b4085d6bcd5dc8bf4647b127626825a365393ac06758feba', 'dev', true;
