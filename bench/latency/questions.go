package latency

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/bench/load"
)

// question is one that is asked again and again, each time about something else.
type question struct {
	name string
	// path is that of the API; %s in it stands for the subject.
	path string
	// parameters besides the window; %s likewise.
	parameters map[string]string
	about      about
}

// about is what a question is about.
type about int

const (
	everything about = iota
	aCall
	aUser
	// anHour: the window is an hour, and the subject a number.
	anHour
)

// questions are what is asked, in this order.
var questions = []question{
	{"messages by Call-ID", "/api/v1/messages", map[string]string{"filter": `call_id = "%s"`}, aCall},
	{"call by Call-ID", "/api/v1/calls", map[string]string{"filter": `call_id = "%s"`}, aCall},
	{"flow of a call, both legs", "/api/v1/flow/%s", nil, aCall},
	{"newest 100 calls, from_user = …", "/api/v1/calls", map[string]string{"filter": `from_user = "%s"`, "limit": "100"}, aUser},
	{"newest 100 calls, user = …", "/api/v1/calls", map[string]string{"filter": `user = "%s"`, "limit": "100"}, aUser},
	{"newest 100 calls, no filter", "/api/v1/calls", map[string]string{"limit": "100"}, everything},
	{"newest 100 calls, method = INVITE", "/api/v1/calls", map[string]string{"filter": "method = INVITE", "limit": "100"}, everything},
	{"newest 100 calls, method = INVITE and status >= 500", "/api/v1/calls", map[string]string{"filter": "method = INVITE and status >= 500", "limit": "100"}, everything},
	{"text that no message has, an hour", "/api/v1/messages", map[string]string{"filter": `raw like "%%nothing%sis%%"`, "limit": "50"}, anHour},
	{"header that no message has, an hour", "/api/v1/messages", map[string]string{"filter": `header "X-Nothing-%s" = is`, "limit": "50"}, anHour},
	{"series attempts", "/api/v1/series", map[string]string{"metric": "attempts"}, everything},
	{"series asr", "/api/v1/series", map[string]string{"metric": "asr"}, everything},
	{"series srd_ms_p95", "/api/v1/series", map[string]string{"metric": "srd_ms_p95"}, everything},
	{"series pdd_ms", "/api/v1/series", map[string]string{"metric": "pdd_ms"}, everything},
	{"series messages", "/api/v1/series", map[string]string{"metric": "messages"}, everything},
	{"series attempts by final_status", "/api/v1/series", map[string]string{"metric": "attempts", "group_by": "final_status"}, everything},
	{"series active_calls", "/api/v1/series", map[string]string{"metric": "active_calls"}, everything},
	{"series asr by src_ip", "/api/v1/series", map[string]string{"metric": "asr", "group_by": "src_ip"}, everything},
	{"series asr by prefix", "/api/v1/series", map[string]string{"metric": "asr", "group_by": "prefix"}, everything},
	{"series asr by src_trunk", "/api/v1/series", map[string]string{"metric": "asr", "group_by": "src_trunk"}, everything},
	{"series asr by user_agent", "/api/v1/series", map[string]string{"metric": "asr", "group_by": "user_agent"}, everything},
	{"series pdd_ms by src_ip", "/api/v1/series", map[string]string{"metric": "pdd_ms", "group_by": "src_ip"}, everything},
	{"series pdd_ms by src_trunk", "/api/v1/series", map[string]string{"metric": "pdd_ms", "group_by": "src_trunk"}, everything},
	{"series active_calls by src_ip", "/api/v1/series", map[string]string{"metric": "active_calls", "group_by": "src_ip"}, everything},
}

// Trunks are the setting of a server that Measure asks: some callers of those made
// up have names, by address and by network, and all they call.
const Trunks = "one=10.116.100.100,two=10.116.100.101,three=10.116.100.102,four=10.116.100.103,five=10.116.100.104,site=10.116.101.128/26,gateways=100.64.100.100/31"

// subjects are what the questions are about: the same for the same data.
type subjects struct {
	calls, users []string
	from, to     time.Time
}

// readSubjects picks n calls and users of those stored.
func readSubjects(ctx context.Context, s *load.Server, n int) (subjects, error) {
	var out subjects
	span, err := s.Query(ctx, "SELECT toUnixTimestamp(min(time)), toUnixTimestamp(max(time)) + 1 FROM heplake.sip")
	if err != nil {
		return out, err
	}
	first, last, _ := strings.Cut(span, "\t")
	for _, t := range []struct {
		text string
		to   *time.Time
	}{{first, &out.from}, {last, &out.to}} {
		seconds, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			return out, fmt.Errorf("span of the messages: %w", err)
		}
		*t.to = time.Unix(seconds, 0)
	}
	if from := out.to.Add(-Days * 24 * time.Hour); from.After(out.from) {
		out.from = from
	}
	for _, q := range []struct {
		column, condition string
		to                *[]string
	}{{"correlation_id", "length(call_ids) > 1", &out.calls}, {"from_user", "from_user != ''", &out.users}} {
		list, err := s.Query(ctx, fmt.Sprintf("SELECT DISTINCT %s AS s FROM heplake.call_rows WHERE method = 'INVITE' AND %s ORDER BY cityHash64(s) LIMIT %d", q.column, q.condition, n))
		if err != nil {
			return out, err
		}
		if *q.to = strings.Fields(list); len(*q.to) == 0 {
			return out, fmt.Errorf("no calls to ask for: no %s", q.column)
		}
	}
	return out, nil
}

// request is the path and query of the question's round.
func (q question) request(s subjects, round int) string {
	subject := strconv.Itoa(round)
	from, to := s.from, s.to
	switch q.about {
	case aCall:
		subject = s.calls[round%len(s.calls)]
	case aUser:
		subject = s.users[round%len(s.users)]
	case anHour:
		hours := max(1, int(s.to.Sub(s.from)/time.Hour)-2)
		from = s.from.Truncate(time.Hour).Add(time.Duration(1+(round*37)%hours) * time.Hour)
		to = from.Add(time.Hour)
	case everything:
		// Not the very same text: nothing may come out of a cache of answers.
		to = to.Add(time.Duration(round) * time.Second)
	}
	values := url.Values{"from": {strconv.FormatInt(from.Unix(), 10)}, "to": {strconv.FormatInt(to.Unix(), 10)}}
	for name, value := range q.parameters {
		if strings.Contains(value, "%s") {
			value = fmt.Sprintf(value, subject)
		}
		values.Set(name, value)
	}
	path := q.path
	if strings.Contains(path, "%s") {
		path = fmt.Sprintf(path, url.PathEscape(subject))
	}
	return path + "?" + values.Encode()
}
