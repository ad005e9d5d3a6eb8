package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/heplake/heplake/query/filter"
)

func wordsOf(input string) []string {
	var out []string
	for _, c := range CompleteFilter(input) {
		out = append(out, c.Word)
	}
	return out
}

func TestCompleteFilter(t *testing.T) {
	for input, want := range map[string][]string{
		"from_us":                             {"from_user"},
		"FROM_US":                             {"from_user"},
		"not from_us":                         {"from_user"},
		"(from_us":                            {"from_user"},
		"outcome = ":                          {"answered", "failed", "cancelled", "unanswered", "in_progress"},
		"outcome = f":                         {"failed"},
		"outcome=f":                           {"failed"},
		"outcome in (failed, ca":              {"cancelled"},
		"outcome in (failed, cancelled) ":     {"and", "or"},
		"method = INVITE ":                    {"and", "or"},
		"method = INVITE and outco":           {"outcome"},
		`user_agent like "Grandstream%" an`:   {"and"},
		`user_agent like "Grandstream% and `:  nil, // inside quotes
		`from_user = 'it''s' and status_nosu`: nil,
		"1-15155@127.0.0.1 ":                  {"and", "or"},
		"released_by = cal":                   {"caller", "callee"},
	} {
		if got := wordsOf(input); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", input, got, want)
		}
	}
	for _, op := range []string{"=", "!=", "like", "~", "in"} {
		if !slices.Contains(wordsOf("from_user "), op) {
			t.Errorf("from_user does not take %s: %q", op, wordsOf("from_user "))
		}
	}
	if all := wordsOf(""); len(all) < 40 || !slices.Contains(all, "mos_min") {
		t.Errorf("fields: %q", all)
	}
}

func TestJoinFilter(t *testing.T) {
	for want, args := range map[string][]string{
		"":                                    nil,
		"from_user = 'a b'":                   {"from_user = 'a b'"},
		"method = INVITE and outcome = fa":    {"method", "=", "INVITE", "and", "outcome", "=", "fa"},
		`user_agent = "Grandstream GXP"`:      {"user_agent", "=", "Grandstream GXP"},
		`from_user like "" or to_user = "a'"`: {"from_user", "like", "", "or", "to_user", "=", "a'"},
		"status in (486, 600)":                {"status", "in", "(486, 600)"},
		"status >= 500 and ( a = b )":         {"status", ">=", "500", "and", "(", "a", "=", "b", ")"},
		"a = b and c = d":                     {"a = b", "and", "c = d"},
	} {
		if got := JoinFilter(args); got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
}

// A completion is the expression with more behind it, whatever the expression.
func TestCompletionsGoOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"from_user", "outcome", "=", " ", "(", ")", "in", "and", "not", "fa", `"`, "'", `\`, ",", "5xx", "é", "!~", "like"}), 0, 8).Draw(t, "parts")
		input := strings.Join(parts, rapid.SampledFrom([]string{"", " "}).Draw(t, "between"))
		for _, c := range CompleteFilter(input) {
			if len(c.Text) <= len(input) || !strings.EqualFold(c.Text[:len(input)], input) || !strings.HasSuffix(c.Text, c.Word) {
				t.Fatalf("%q goes on to %q", input, c.Text)
			}
		}
		_, _ = CheckFilter(input)
	})
}

// What is made into a string of the filter language reads back as it was.
func TestFilterString(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.String().Draw(t, "value")
		node, err := filter.Parse("call_id = " + FilterString(want))
		if err != nil {
			if strings.ContainsRune(want, 0) {
				return // refused, as it should be
			}
			t.Fatalf("%q: %v", want, err)
		}
		if got := node.(*filter.Cond).Values[0].Text; got != want {
			t.Fatalf("%q reads back as %q", want, got)
		}
	})
}

func TestCompleteTime(t *testing.T) {
	for _, until := range []bool{false, true} {
		for _, c := range CompleteTime(until) {
			if _, err := when("since", c.Word, time.Now(), until); err != nil || c.Doc == "" {
				t.Errorf("%q: %v", c.Word, err)
			}
		}
	}
}
