-- What version 2 has besides: rows that the assembler made. {db} is the database.
INSERT INTO {db}.call_rows (tenant, correlation_id, call_ids, method, start, ring, answer, `end`, last_seen, pdd_ms, duration_s, outcome, final_status, final_reason, from_user, to_user, src_ip, dst_ip,
    user_agents, messages, mos_min, correlation_ids, leg_reasons, leg_confidences, leg_statuses, tries, opened, version, deleted)
SELECT 'default', toString(number), [toString(number), concat(toString(number), 'b')], 'INVITE', now64(6, 'UTC') - toIntervalDay(1 + number % 5) AS s, s + toIntervalSecond(1), if(number % 2, s + toIntervalSecond(5), NULL),
    s + toIntervalSecond(65), s + toIntervalSecond(66), 812.5, if(number % 2, 60, NULL), if(number % 2, 'answered', 'failed'), if(number % 2, 200, 486), if(number % 2, 'OK', 'Busy Here'),
    concat('+4930', toString(number)), '0170', toIPv6('10.1.0.9'), toIPv6('2001:db8::1'), ['Phone 1.0'], 14, if(number % 3, 3.9, NULL), [toString(number)], ['', 'numbers'], [1, 0.75], [200, 200], 1, 1,
    1700000000000000 + number, number % 50 = 0
FROM numbers(500);

INSERT INTO {db}.registration_rows (tenant, call_id, cseq, start, last_seen, user, domain, contact, src_ip, dst_ip, transport, user_agent, nodes, outcome, status, cause, expires, rrd_ms, requests, messages, version, deleted)
SELECT 'default', concat('reg-', toString(number)), number, now64(6, 'UTC') - toIntervalDay(1 + number % 5), now64(6, 'UTC') - toIntervalDay(1 + number % 5), toString(number), 'example.com', 'x@10.1.0.9:5060', toIPv6('10.1.0.9'),
    toIPv6('2001:db8::1'), 'udp', 'Phone 1.0', ['edge1'], 'registered', 200, 'OK', 3600, if(number % 4, 33.5, NULL), 2, 4, 1700000000000000 + number, 0
FROM numbers(300);

INSERT INTO {db}.registrations_1d (bucket, tenant, dim, value, attempts, pending, succeeded, failures, ineffective, challenged, rrd, version)
SELECT toStartOfDay(now('UTC')) - toIntervalDay(1 + number), 'default', 'all', '', 100 + number, 0, 90, 10, 1, 50, quantilesTDigestIfState(0.5, 0.95, 0.99)(toFloat64(number * 3), toUInt8(1)), 1700000000000000
FROM numbers(30) GROUP BY number;
