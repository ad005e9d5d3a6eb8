package main

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/cli"
)

// completionTime bounds what a shell waits for when it asks the API.
const completionTime = time.Second

// words are a flag's or argument's few values.
func words(values ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
}

// described are completions with what they mean.
func described(list []cli.Completion, whole bool) []string {
	var out []string
	for _, c := range list {
		text := c.Word
		if whole {
			text = c.Text
		}
		if c.Doc != "" {
			text += "\t" + strings.TrimSuffix(c.Doc, ".")
		}
		out = append(out, text)
	}
	return out
}

// completeFilter completes a filter: its last word, the arguments before being
// the rest of it.
func completeFilter(_ *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	before := ""
	if len(args) > 0 {
		before = cli.JoinFilter(args) + " "
	}
	list := cli.CompleteFilter(before + toComplete)
	for i := range list {
		list[i].Text = strings.TrimPrefix(list[i].Text, before)
	}
	return described(list, true), cobra.ShellCompDirectiveNoFileComp
}

// completeCallID completes a Call-ID out of the newest calls, if the API says
// which there are.
func (r *reader) completeCallID(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	const none = cobra.ShellCompDirectiveNoFileComp
	client, err := cli.NewClient(r.api, completionTime)
	if len(args) > 0 || err != nil {
		return nil, none
	}
	ctx, cancel := context.WithTimeout(cmdContext(cmd), completionTime)
	defer cancel()
	request := cli.CallsRequest{From: time.Now().Add(-time.Hour), Limit: 100}
	if toComplete != "" {
		// What begins so, however old; % and _ in it are what they are.
		escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(toComplete)
		request = cli.CallsRequest{Filter: "call_id like " + cli.FilterString(escaped+"%"), Limit: 100}
	}
	answer, _, err := client.Calls(ctx, request)
	if err != nil {
		return nil, none
	}
	var out []string
	for i := range answer.Calls {
		c := &answer.Calls[i]
		for _, id := range c.CallIDs {
			if strings.HasPrefix(id, toComplete) && !strings.ContainsAny(id, "\t\r\n") {
				out = append(out, id+"\t"+cli.Describe(c))
			}
		}
	}
	return out, none | cobra.ShellCompDirectiveKeepOrder
}

func cmdContext(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// completeFlags sets the completions of those flags that have few values.
func completeFlags(cmd *cobra.Command, values map[string]cobra.CompletionFunc) {
	for name, f := range values {
		if cmd.Flags().Lookup(name) == nil {
			continue
		}
		// The error is that of a flag that is not there.
		_ = cmd.RegisterFlagCompletionFunc(name, f)
	}
}

// readCompletions are those of the reading commands' flags.
func readCompletions(cmd *cobra.Command, output ...string) {
	times := func(until bool) cobra.CompletionFunc {
		return cobra.FixedCompletions(described(cli.CompleteTime(until), false), cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveKeepOrder)
	}
	completeFlags(cmd, map[string]cobra.CompletionFunc{
		"output": words(output...), "since": times(false), "until": times(true),
		"time": words("delta", "absolute", "offset"), "theme": words("auto", "light", "dark"),
		"tz": words("local", "UTC", "Europe/Berlin", "Europe/London", "America/New_York", "Asia/Kolkata", "+02:00"),
		"api": func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			out := []string{defaultAPI}
			if set := os.Getenv(envAPI); set != "" {
				out = append([]string{set}, out...)
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		},
		"limit": words("50", "200", "1000"), "timeout": words("10s", "1m", "5m"),
	})
}
