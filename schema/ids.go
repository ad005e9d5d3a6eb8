package schema

import (
	"fmt"
	"time"
)

// IDs says where the messages of an id are: for a Call-ID or correlation id the
// hours that have messages with it, and what else these are called. The order
// (hour, correlation_id, time) of sip finds a call at once when both are known;
// this table is what knows them.
//
// A row costs a few bytes: the id is a hash, and a name that is the id itself is
// left empty, because whoever asks knows it. Rows may come more than once; that
// there is none says nothing of messages inserted a moment ago.
var IDs = Table{
	Name: "ids",
	Doc:  "In which hours the messages of a Call-ID or correlation id are, and what their other id is.",
	Columns: []Column{
		{Name: "id", Kind: Uint64, Doc: "cityHash64 of the Call-ID, correlation id, or other id that names a leg."},
		{Name: "tenant", Kind: Enum, Doc: "Whose traffic it is."},
		{Name: "hour", Kind: Uint32, Type: "DateTime('UTC')", Doc: "Start of the hour that the messages lie in."},
		{Name: "call_id", Kind: Text, Doc: "Call-ID of the messages; empty when it is the id itself."},
		{Name: "correlation_id", Kind: Text, Doc: "Correlation id of the messages; empty when it is the id itself."},
		{Name: "stays", Type: "DateTime('UTC')", Default: "toDateTime(0, 'UTC')", Doc: "Until when messages that were restored from the archive stay; 1970 for all others."},
	},
	Engine:      "ReplacingMergeTree",
	PartitionBy: "toMonday(hour)",
	OrderBy:     "(id, tenant, hour, call_id, correlation_id)",
	ShardBy:     "id",
	TTLFrom:     "greatest(hour, stays)",
	TTLDays:     90,
	TTLLike:     "sip",
	Granularity: 512,
	Parts:       []Setting{seldomMerged},
	Gather:      true, // an id is looked up in each part
}

// idsSQL gives the ids of messages: what ingest writes as they arrive, but for the
// ids of headers that tie legs together.
func idsSQL(sip string) string {
	return `SELECT cityHash64(name) AS id, tenant, hour, if(call = name, '', call) AS call_id, if(correlation = name, '', correlation) AS correlation_id
FROM
(
    SELECT tenant, toStartOfHour(time, 'UTC') AS hour, call_id AS call, correlation_id AS correlation
    FROM ` + sip + `
    GROUP BY tenant, hour, call, correlation
)
ARRAY JOIN arrayDistinct([call, correlation]) AS name
WHERE name != ''`
}

// RestoreIDsSQL feeds ids with a day (such as 2026-11-21) of sip that was read back
// from the archive and stays until then. Doing so again does no harm.
func RestoreIDsSQL(o Options, day string, until time.Time) string {
	source := "(SELECT time, tenant, call_id, correlation_id FROM " + o.table(SIP.Name) + " WHERE toDate(time) = " + Quote(day) + ")"
	return fmt.Sprintf("INSERT INTO %s (id, tenant, hour, call_id, correlation_id, stays)\nSELECT *, toDateTime(%d, 'UTC')\nFROM\n(\n%s\n)\nSETTINGS max_partitions_per_insert_block = 0, "+DistributedSettings, o.table(IDs.Name), until.Unix(), idsSQL(source))
}
