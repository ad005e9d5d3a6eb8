package query

import (
	"context"
	"maps"

	"github.com/ClickHouse/clickhouse-go/v2"
)

type settingsKey struct{}

// WithSettings returns a context under which every query of a Store carries
// these settings besides its limits; they win over the limits and over those of
// an outer WithSettings. A door uses it to say in log_comment who asks, and what
// the user's profile must allow is the door's to know.
func WithSettings(ctx context.Context, settings clickhouse.Settings) context.Context {
	all := clickhouse.Settings{}
	maps.Copy(all, settingsOf(ctx))
	maps.Copy(all, settings)
	return context.WithValue(ctx, settingsKey{}, all)
}

// settingsOf returns the settings of WithSettings, nil when there are none.
func settingsOf(ctx context.Context) clickhouse.Settings {
	s, _ := ctx.Value(settingsKey{}).(clickhouse.Settings)
	return s
}
