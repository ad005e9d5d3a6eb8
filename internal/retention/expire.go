package retention

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/schema"
)

// expire drops what has been kept long enough of the tables that rules and holds
// are not about: sums, and what heplake notes for itself. A partition goes as a
// whole, when its newest row has been kept long enough, as by their TTL where they
// have one.
func (k *Keeper) expire(ctx context.Context, now time.Time) error {
	for _, t := range schema.Expiring() {
		days := k.Schema.TTLDaysOf(t)
		if days == 0 {
			continue
		}
		ids, err := k.over(ctx, t, now.AddDate(0, 0, -days))
		if err != nil {
			return fmt.Errorf("retention: ask what of %s is over: %w", t.Name, err)
		}
		for _, id := range ids {
			if err := k.remover().alter(ctx, t.Name, "DROP PARTITION ID "+schema.Quote(id)); err != nil {
				return fmt.Errorf("retention: drop partition %s of %s: %w", id, t.Name, err)
			}
			k.Log.Info("retention", "action", Drop, "table", t.Name, "partition", id)
		}
	}
	return nil
}

// over lists the partitions of a table, by id, whose newest row is from before
// then. Rows are read of those alone that ended before.
func (k *Keeper) over(ctx context.Context, t *schema.Table, then time.Time) ([]string, error) {
	var ids, ended []string
	err := k.DB.QueryRow(ctx, "SELECT groupUniqArray(partition_id) FROM "+system(k.Schema, "parts")+" WHERE active AND rows > 0 AND database = "+
		schema.Quote(k.Schema.DatabaseName())+" AND table = "+schema.Quote(k.Schema.LocalName(t.Name))).Scan(&ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		end, err := partitionEnd(t.PartitionBy, id)
		if err != nil {
			return nil, err
		}
		if end.Before(then) {
			ended = append(ended, schema.Quote(id))
		}
	}
	if len(ended) == 0 {
		return nil, nil
	}
	err = k.DB.QueryRow(ctx, "SELECT arraySort(groupArray(id)) FROM (SELECT _partition_id AS id FROM "+qualified(k.Schema, t.Name)+" WHERE _partition_id IN ("+strings.Join(ended, ", ")+
		") GROUP BY id HAVING toUnixTimestamp(toDateTime(max("+timeColumn(t)+"), 'UTC')) < "+strconv.FormatInt(then.Unix(), 10)+")").Scan(&ids)
	return ids, err
}

// partitionEnd is when the time is over that a partition is for, given its id and
// the expression that the table is parted by.
func partitionEnd(by, id string) (time.Time, error) {
	function, _, _ := strings.Cut(by, "(")
	for _, p := range []struct {
		function, layout    string
		years, months, days int
	}{
		{"toDate", "20060102", 0, 0, 1}, {"toMonday", "20060102", 0, 0, 7}, {"toYYYYMM", "200601", 0, 1, 0}, {"toYear", "2006", 1, 0, 0},
	} {
		if p.function == function {
			start, err := time.Parse(p.layout, id)
			return start.AddDate(p.years, p.months, p.days), err
		}
	}
	return time.Time{}, fmt.Errorf("nobody knows when a partition by %s ends", by)
}
