package query

import (
	"fmt"
	"strconv"
	"strings"
)

// authentication looks for challenges that came again and again.
func (a *analysis) authentication() []Finding {
	type party struct {
		leg, client, server int
		method              string
	}
	challenged := map[party][]int{} // transactions, in order
	var order []party
	for t := range a.f.Transactions {
		tx := &a.f.Transactions[t]
		if tx.Request < 0 || tx.Method == "CANCEL" || tx.Method == "ACK" {
			continue
		}
		p := party{tx.Leg, tx.Client, tx.Server, tx.Method}
		if _, ok := challenged[p]; !ok {
			order = append(order, p)
		}
		challenged[p] = append(challenged[p], t)
	}
	var out []Finding
	for _, p := range order {
		refused, stale, tried := 0, 0, 0
		var items []int
		var last int
		for _, t := range challenged[p] {
			tx := &a.f.Transactions[t]
			if s := a.status(t); s != 401 && s != 407 {
				if s >= 200 && s < 300 { // it worked: what came before was in order
					refused, items, stale, tried = 0, nil, 0, 0
				}
				continue
			}
			// A relayed challenge is its origin's affair.
			if len(a.children(t)) > 0 && a.passedOn(t, tx.Final) >= 0 {
				continue
			}
			tried++
			items = append(items, tx.Request, tx.Final)
			last = t
			if a.credentials(tx.Request) == "" {
				continue
			}
			refused++
			if value := parameter(a.challenge(tx.Final), "stale", ','); strings.EqualFold(value, "true") {
				stale++
			}
		}
		if tried < 2 || refused == 0 || stale == 1 && refused == 1 { // one stale nonce is how nonces go
			continue
		}
		tx := &a.f.Transactions[last]
		user := parameter(a.credentials(tx.Request), "username", ',')
		realm := parameter(a.challenge(tx.Final), "realm", ',')
		text := fmt.Sprintf("Authentication loop: %s challenged the %s of %s %s, %s with credentials for %s in realm %s refused", a.named(tx.Server), tx.Method, a.who(tx.Client),
			times(tried), times(refused), quoted(user), quoted(realm))
		code := "auth_loop"
		switch {
		case stale == refused:
			text += "; each time as stale: the nonces run out sooner than they are used"
		case stale > 0:
			text += "; " + times(stale) + " as stale"
		default:
			text += ": the password, the user name or the realm is wrong"
		}
		out = append(out, a.about(last, code, SeverityError, items, "%s.", text))
	}
	return out
}

// quoted is a word of the wire in quotes.
func quoted(s string) string { return strconv.Quote(printable(s)) }

func (a *analysis) credentials(i int) string {
	if v := a.heads[i].get("authorization"); v != "" {
		return v
	}
	return a.heads[i].get("proxy-authorization")
}

func (a *analysis) challenge(i int) string {
	if v := a.heads[i].get("www-authenticate"); v != "" {
		return v
	}
	return a.heads[i].get("proxy-authenticate")
}
