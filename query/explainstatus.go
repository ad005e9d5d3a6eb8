package query

// refusal is what a failure status means.
type refusal struct {
	code     string
	severity Severity
	meaning  string
}

// refusals by status (RFC 3261 section 21 and the IANA registry of response codes;
// some that only one server gives).
var refusals = map[uint16]refusal{
	300: {"redirected", SeverityInfo, "it offers several other places"},
	301: {"redirected", SeverityInfo, "it has moved for good"},
	302: {"redirected", SeverityInfo, "it is elsewhere for now"},
	305: {"redirected", SeverityInfo, "a proxy must be used"},
	380: {"redirected", SeverityInfo, "another service is offered"},
	400: {"bad_request", SeverityError, "it could not make sense of the request"},
	401: {"auth_missing", SeverityError, "it wants credentials"},
	402: {"payment_required", SeverityError, "the account has no credit"},
	403: {"forbidden", SeverityError, "it understood and will not do it: check rights, credentials and numbers allowed"},
	404: {"not_found", SeverityError, "it does not know the user or number"},
	405: {"method_not_allowed", SeverityError, "it does not take this method here"},
	406: {"not_acceptable", SeverityError, "it can make no answer that the Accept header allows"},
	407: {"auth_missing", SeverityError, "it wants credentials"},
	408: {"timeout", SeverityError, "it found nobody in time"},
	410: {"gone", SeverityError, "the user is gone for good"},
	413: {"too_large", SeverityError, "the message is too large for it"},
	414: {"too_large", SeverityError, "the Request-URI is too long for it"},
	415: {"media_type", SeverityError, "it does not take this content type"},
	416: {"uri_scheme", SeverityError, "it does not take this kind of URI"},
	420: {"bad_extension", SeverityError, "it lacks an extension that the Require header demands"},
	421: {"extension_required", SeverityError, "it demands an extension that was not offered"},
	422: {"session_interval", SeverityError, "the Session-Expires is too short for it"},
	423: {"interval_too_brief", SeverityError, "the registration is too short for it"},
	428: {"identity", SeverityError, "it demands an Identity header"},
	433: {"anonymity", SeverityError, "it takes no anonymous calls"},
	436: {"identity", SeverityError, "it could not read the Identity information"},
	437: {"identity", SeverityError, "it does not trust the certificate of the Identity header"},
	438: {"identity", SeverityError, "the Identity header did not verify"},
	477: {"unroutable", SeverityError, "it could not send the request on: no connection to the next hop"}, // Kamailio's
	478: {"unroutable", SeverityError, "it could not find the next hop: its name does not resolve"},       // Kamailio's
	479: {"bad_request", SeverityError, "it could not make sense of the URI"},                             // Kamailio's
	480: {"unavailable", SeverityWarning, "the called party is not registered, or does not take calls now"},
	481: {"no_dialog", SeverityError, "it knows no such call"},
	482: {"loop", SeverityError, "the request came back to it"},
	483: {"loop", SeverityError, "Max-Forwards ran out: the request went round, or through too many hops"},
	484: {"incomplete", SeverityError, "the number is incomplete"},
	485: {"ambiguous", SeverityError, "the number is ambiguous"},
	486: {"busy", SeverityWarning, "the called party is busy"},
	487: {"cancelled", SeverityWarning, "the request was cancelled"},
	488: {"codec_refused", SeverityError, "it cannot do the media offered: compare codecs, SRTP and ptime of the SDP"},
	489: {"bad_event", SeverityError, "it does not know the event package"},
	491: {"glare", SeverityWarning, "it was waiting for an answer of its own"},
	493: {"undecipherable", SeverityError, "it could not decrypt the body"},
	494: {"security", SeverityError, "it demands a security agreement"},
	500: {"server_error", SeverityError, "something broke inside it"},
	501: {"not_implemented", SeverityError, "it cannot do this method"},
	502: {"bad_gateway", SeverityError, "what stands behind it answered nonsense, or not at all"},
	503: {"service_unavailable", SeverityError, "it is overloaded, in maintenance, or has no way on"},
	504: {"gateway_timeout", SeverityError, "what stands behind it did not answer in time"},
	505: {"version", SeverityError, "it does not take this version of SIP"},
	513: {"too_large", SeverityError, "the message is too large for it"},
	555: {"push", SeverityError, "it does not know the push service"},
	580: {"precondition", SeverityError, "the resources for the media could not be reserved"},
	600: {"busy", SeverityWarning, "the called party is busy everywhere"},
	603: {"declined", SeverityWarning, "the called party declined"},
	604: {"not_found", SeverityError, "the called party exists nowhere"},
	606: {"codec_refused", SeverityError, "the called party's equipment cannot do the media offered"},
	607: {"unwanted", SeverityWarning, "the called party does not want such calls"},
	608: {"rejected", SeverityWarning, "a screening service rejected the call"},
}

// refusalOf is what a status means, by its class where it is not known.
func refusalOf(status uint16) refusal {
	if r, ok := refusals[status]; ok {
		return r
	}
	switch {
	case status < 400:
		return refusal{"redirected", SeverityInfo, "it is to be found elsewhere"}
	case status < 500:
		return refusal{"refused", SeverityError, "it refused the request"}
	case status < 600:
		return refusal{"server_error", SeverityError, "it failed to do what was asked"}
	}
	return refusal{"declined", SeverityWarning, "the called party refused"}
}
