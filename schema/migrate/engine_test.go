package migrate

import (
	"maps"
	"testing"
)

func TestSplitEngine(t *testing.T) {
	tests := []struct {
		name, full string
		want       map[string]string
	}{
		{"all clauses", "MergeTree PARTITION BY toDate(time) PRIMARY KEY a ORDER BY (a, b) SAMPLE BY b TTL toDateTime(time) + toIntervalDay(90) SETTINGS x = 1, y = 'a, b'",
			map[string]string{"": "MergeTree", "PARTITION BY": "toDate(time)", "PRIMARY KEY": "a", "ORDER BY": "(a, b)", "SAMPLE BY": "b",
				"TTL": "toDateTime(time) + toIntervalDay(90)", "SETTINGS": "x = 1, y = 'a, b'"}},
		{"keywords in quotes and parentheses", "ReplicatedMergeTree('/x TTL y', 'r ORDER BY ') ORDER BY f(` SETTINGS `, ' TTL it\\' TTL ')",
			map[string]string{"": "ReplicatedMergeTree('/x TTL y', 'r ORDER BY ')", "ORDER BY": "f(` SETTINGS `, ' TTL it\\' TTL ')"}},
		{"bare", "Memory", map[string]string{"": "Memory"}},
		{"empty", "", map[string]string{"": ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := splitEngine(tt.full); !maps.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSplitSettings(t *testing.T) {
	got := splitSettings("a = 1, b = 'x, c = 2', d = 0.5")
	if want := map[string]string{"a": "1", "b": "'x, c = 2'", "d": "0.5"}; !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := splitSettings(""); len(got) != 0 {
		t.Errorf("no settings gave %q", got)
	}
}

func TestWidens(t *testing.T) {
	tests := []struct {
		from, to string
		want     bool
	}{
		{"UInt8", "UInt32", true},
		{"UInt32", "UInt16", false},
		{"UInt16", "Int32", true},
		{"UInt32", "Int32", false},
		{"Int8", "UInt64", false},
		{"Float32", "Float64", true},
		{"Float64", "Float32", false},
		{"String", "LowCardinality(String)", true},
		{"LowCardinality(String)", "String", true},
		{"LowCardinality(UInt8)", "UInt16", true},
		{"String", "IPv6", false},
		{"IPv6", "LowCardinality(IPv6)", true},
		{"Array(String)", "Array(LowCardinality(String))", true},
		{"Array(String)", "String", false},
		{"Map(String, UInt8)", "Map(LowCardinality(String), UInt64)", true},
		{"Map(LowCardinality(String), Float64)", "Map(LowCardinality(String), Float32)", false},
		{"DateTime64(3, 'UTC')", "DateTime64(6, 'UTC')", false},
		{"Nullable(String)", "String", false},
		{"String", "Nullable(String)", false},
		{"String", "Array(String)", false},
	}
	for _, tt := range tests {
		if got := widens(tt.from, tt.to); got != tt.want {
			t.Errorf("widens(%s, %s) = %v, want %v", tt.from, tt.to, got, tt.want)
		}
	}
}
