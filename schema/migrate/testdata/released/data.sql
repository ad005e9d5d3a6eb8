-- Rows as the first release stored them: 300 calls of seven messages on three
-- days, among them what no clean message is: bytes that are no UTF-8, empty
-- messages, columns that are not in the message. {db} is the database.
INSERT INTO {db}.sip (time, tenant, node, capture_id, correlation_id, call_id, src_ip, src_port, dst_ip, dst_port, transport, method, status, reason, cseq, cseq_method,
    from_user, from_domain, from_tag, to_user, to_domain, to_tag, ruri_user, ruri_domain, user_agent, server, contact_user, contact_host, contact_port, pai_user, auth_user,
    diversion, via_branch, via_host, via_port, content_type, expires, q850, reason_header, sdp, headers, parse_error, hep, raw)
WITH
    intDiv(number, 7) AS n, number % 7 + 1 AS k,
    concat('call-', toString(n), '-', lower(hex(cityHash64(n))), '@10.1.', toString(n % 250), '.9') AS id,
    ['INVITE', '', '', '', 'ACK', 'BYE', ''][k] AS request, [0, 100, 180, 200, 0, 0, 200][k] AS code,
    ['', 'Trying', 'Ringing', 'OK', '', '', 'OK'][k] AS phrase, ['INVITE', 'INVITE', 'INVITE', 'INVITE', 'ACK', 'BYE', 'BYE'][k] AS of,
    concat('+4930', toString(1000000 + n)) AS a, concat('0', toString(170000000 + n * 7)) AS b,
    concat('tag', lower(hex(n * 2654435761))) AS ta, if(k < 3, '', concat('as', lower(hex(n * 40503)))) AS tb,
    concat('z9hG4bK', lower(hex(sipHash64(n, of)))) AS branch,
    if(k IN (1, 4), concat('v=0\r\no=- ', toString(n), ' 1 IN IP4 10.1.0.9\r\ns=-\r\nc=IN IP4 10.1.0.9\r\nt=0 0\r\nm=audio ', toString(10000 + n * 2), ' RTP/AVP 8 0\r\n'), '') AS body,
    concat(if(request != '', concat(request, ' sip:', b, '@example.net SIP/2.0'), concat('SIP/2.0 ', toString(code), ' ', phrase)),
        '\r\nVia: SIP/2.0/UDP 10.1.0.9:5060;branch=', branch, '\r\nFrom: <sip:', a, '@example.com>;tag=', ta, '\r\nTo: <sip:', b, '@example.net>', if(tb = '', '', concat(';tag=', tb)),
        '\r\nCall-ID: ', id, '\r\nCSeq: ', toString(1 + n % 3), ' ', of, '\r\nContent-Length: ', toString(length(body)), '\r\n\r\n', body) AS message
SELECT toStartOfHour(now64(6, 'UTC')) - toIntervalDay(1 + n % 3) + toIntervalSecond(n % 1800) + toIntervalMillisecond(k * 173),
    if(n % 5 = 0, 'acme', 'default'), ['edge1', 'edge2', ''][n % 3 + 1], 2000 + n % 3, if(n % 4 = 0, concat('x-', toString(n)), id), id,
    toIPv6(if(request != '', concat('10.1.', toString(n % 250), '.9'), '2001:db8::1')), 5060, toIPv6(if(request = '', concat('10.1.', toString(n % 250), '.9'), '2001:db8::1')), 5060, ['udp', 'tcp'][n % 2 + 1],
    request, code, phrase, 1 + n % 3, of, a, 'example.com', ta, b, 'example.net', tb, if(request = '', '', b), if(request = '', '', 'example.net'),
    if(k IN (1, 5, 6), 'Phone 1.0', ''), if(k = 4, 'Switch 2', ''), if(k = 1, a, ''), if(k = 1, '10.1.0.9', ''), if(k = 1, 5060, 0), if(n % 6 = 0 AND k = 1, a, ''), if(n % 7 = 0 AND k = 1, a, ''),
    if(n % 11 = 0, b, ''), branch, '10.1.0.9', 5060, if(body = '', '', 'application/sdp'), if(k = 1, 3600, 0), if(k = 6, 16, 0), if(k = 6, 'Q.850;cause=16', ''),
    if(body = '', '', 'audio 10.1.0.9:10000 PCMA,PCMU'), if(n % 8 = 0, map('X-CID', concat('cid-', toString(intDiv(n, 16)))), map()),
    if(n % 17 = 0, 'no_content_length', ''), if(n % 9 = 0, map('vlan', '12', 'hep.time', '0'), map()),
    multiIf(n % 17 = 0, concat(message, unhex('00FFFE8081C3280D0A')), n % 19 = 0, '', n % 23 = 0, 'OPTIONS sip:nobody SIP/2.0\r\n\r\n', n % 29 = 0, repeat(message, 40), message)
FROM numbers(2100);

INSERT INTO {db}.media (time, tenant, node, capture_id, correlation_id, call_id, src_ip, src_port, dst_ip, dst_port, transport, source, report, ssrc, reporter, packets, octets, lost,
    fraction_lost, jitter_ms, rtt_ms, mos, mos_method, r_factor, codec, metrics, hep, raw)
SELECT toStartOfHour(now64(6, 'UTC')) - toIntervalDay(1 + number % 3) + toIntervalSecond(number), 'default', 'edge1', 2001, toString(intDiv(number, 4)), concat('call-', toString(intDiv(number, 4))),
    toIPv6('10.1.0.9'), 10001, toIPv6('10.2.0.9'), 20001, 'udp', 'rtcp', 'sr', number, number + 1, number * 50, number * 8000, toInt64(number) - 20, number / 1000, number / 7, 20.5, 4.2 - number / 1000,
    'e-model', 93.2, 'PCMA', map('highest_seq', number / 3), map(), concat(unhex('80C80006'), toString(number)) FROM numbers(400);

INSERT INTO {db}.events (time, tenant, node, capture_id, correlation_id, call_id, src_ip, src_port, dst_ip, dst_port, transport, type, type_name, stage, error, error_offset, hep, body)
SELECT toStartOfHour(now64(6, 'UTC')) - toIntervalDay(1 + number % 3) + toIntervalSecond(number), 'default', 'edge1', 2001, '', if(number % 2, concat('call-', toString(number)), ''), toIPv6('::'), 0, toIPv6('::'), 0,
    'udp', if(number % 3, 100, 0), if(number % 3, 'log', 'undecodable'), if(number % 3, '', 'hep'), if(number % 3, '', 'truncated'), number % 40, map(), concat('line ', toString(number), unhex('00FF')) FROM numbers(200);
