package schema

import (
	"fmt"
	"strings"
	"time"
)

// Users says in which messages a user is: by the user's hash the hours and the
// correlation ids of messages that name the user in From, To or the Request-URI. A
// user's calls lie far apart in sip, where a bloom filter leads to a granule of two
// thousand messages for each; here they stand together.
//
// Ingest tells it of each user once for a correlation id and hour, a moment after the
// messages; that there is no row says nothing of messages inserted a moment ago.
var Users = Table{
	Name: "users",
	Doc:  "In which hours and under which correlation ids the messages of a user are.",
	Columns: []Column{
		{Name: "user", Kind: Uint64, Doc: "cityHash64 of the user part of a From, To or Request-URI."},
		{Name: "tenant", Kind: Enum, Doc: "Whose traffic it is."},
		{Name: "hour", Kind: Uint32, Type: "DateTime('UTC')", Doc: "Start of the hour that the messages lie in."},
		{Name: "correlation_id", Kind: Text, Doc: "Correlation id of the messages."},
		{Name: "fields", Kind: Uint8, Type: "SimpleAggregateFunction(groupBitOr, UInt8)", Doc: "Where they have the user, as bits: 1 From, 2 To, 4 Request-URI of messages whose methods make calls; 16, 32, 64 likewise of others."},
		{Name: "stays", Type: "SimpleAggregateFunction(max, DateTime('UTC'))", Default: "toDateTime(0, 'UTC')", Doc: "Until when messages that were restored from the archive stay; 1970 for all others."},
	},
	Engine:      "AggregatingMergeTree",
	PartitionBy: "toMonday(hour)",
	OrderBy:     "(user, tenant, hour, correlation_id)",
	TTLFrom:     "greatest(hour, stays)",
	TTLDays:     90,
	TTLLike:     "sip",
	Granularity: 512,
	Parts:       []Setting{seldomMerged},
	Gather:      true, // a user is looked up in each part
}

// UserColumns are the columns of sip that Users is about: the first is bit 1 of its
// fields, each further one the next.
var UserColumns = []string{"from_user", "to_user", "ruri_user"}

// OtherUserFields is by how many bits further left a field of Users is for messages
// that make no calls.
const OtherUserFields = 4

// OtherMethodsSQL is the condition for messages that belong to no call: by their CSeq,
// or as requests of another method than that names, which open no call either.
var OtherMethodsSQL = func() string {
	var calls []string
	for _, m := range CallMethods {
		if m != "REGISTER" && m != "NOTIFY" {
			calls = append(calls, Quote(m))
		}
	}
	list := " NOT IN (" + strings.Join(calls, ", ") + ")"
	return "(cseq_method" + list + " OR method != '' AND method" + list + ")"
}()

// UsersOfMessages fills Users with what sip holds when Users is made: it is no view,
// as ingest tells of the messages from then on.
var UsersOfMessages = Feed{
	Name: "users", From: "sip", To: "users", Doc: "Users of messages, into users.",
	columns: "user, tenant, hour, correlation_id, fields",
	query:   func(o Options) string { return usersSQL(o.table("sip")) },
}

// usersSQL gives the users of messages: what ingest writes as they arrive. Those of a
// call mostly name the same two.
func usersSQL(sip string) string {
	pairs := make([]string, len(UserColumns))
	for i, c := range UserColumns {
		pairs[i] = fmt.Sprintf("(%s, bitShiftLeft(kind, %d))", c, i)
	}
	columns := strings.Join(UserColumns, ", ")
	return `SELECT cityHash64(named.1) AS user, tenant, hour, correlation_id, toUInt8(groupBitOr(named.2)) AS fields
FROM
(
    SELECT tenant, toStartOfHour(time, 'UTC') AS hour, correlation_id, ` + columns + `, groupBitOr(toUInt8(if(` + OtherMethodsSQL + `, ` + fmt.Sprint(1<<OtherUserFields) + `, 1))) AS kind
    FROM ` + sip + `
    WHERE correlation_id != ''
    GROUP BY tenant, hour, correlation_id, ` + columns + `
)
ARRAY JOIN [` + strings.Join(pairs, ", ") + `] AS named
WHERE named.1 != ''
GROUP BY user, tenant, hour, correlation_id`
}

// RestoreUsersSQL is RestoreIDsSQL for Users.
func RestoreUsersSQL(o Options, day string, until time.Time) string {
	source := "(SELECT time, tenant, correlation_id, method, cseq_method, " + strings.Join(UserColumns, ", ") + " FROM " + o.table(SIP.Name) + " WHERE toDate(time) = " + Quote(day) + ")"
	return fmt.Sprintf("INSERT INTO %s (%s, stays)\nSELECT *, toDateTime(%d, 'UTC')\nFROM\n(\n%s\n)\nSETTINGS max_partitions_per_insert_block = 0, "+spill+DistributedSettings,
		o.table(Users.Name), UsersOfMessages.columns, until.Unix(), usersSQL(source))
}

// spill bounds the memory in which a day's messages are put together.
const spill = "max_bytes_before_external_group_by = 1000000000, "
