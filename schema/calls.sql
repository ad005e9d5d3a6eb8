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
            argMaxIf(sip.q850, time, sip.q850 > 0) AS leg_q850/*leg matches*/
        FROM /*sip*/ AS sip
        GROUP BY tenant, call_id
    ),
    -- The method that opened the leg, and the requests that tried.
    tried AS
    (
        SELECT
            *,
            /*key*/ AS call_key,
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
            FROM /*media*/ AS media
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
            sum(leg_reports) AS reports/*call matches*/
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
    if(reports > 0, jitter_sum / reports, NULL) AS jitter_ms/*matches*/
FROM figures
