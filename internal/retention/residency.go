package retention

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/schema"
)

// CheckResidency returns an error unless the rows of a database, those that there
// are and those that come, lie on the disks of a storage policy and nowhere else:
// every table has the policy, which ClickHouse then keeps to, and no part is
// elsewhere. A database that is yet to be made is fine. The table meta, which says
// who migrated the schema, has no records in it and may lie anywhere.
func CheckResidency(ctx context.Context, db driver.Conn, o schema.Options, policy string) error {
	lit, name := schema.Quote(policy), schema.Quote(o.DatabaseName())
	var known bool
	if err := db.QueryRow(ctx, "SELECT count() > 0 FROM system.storage_policies WHERE policy_name = "+lit).Scan(&known); err != nil {
		return fmt.Errorf("residency: ask for the storage policy: %w", err)
	}
	if !known {
		return fmt.Errorf("residency: ClickHouse has no storage policy %s", policy)
	}
	var tables, parts []string
	err := db.QueryRow(ctx, "SELECT arraySort(groupArray(name || ' (' || storage_policy || ')')) FROM system.tables WHERE database = "+name+" AND name != 'meta' AND storage_policy NOT IN ('', "+lit+")").Scan(&tables)
	if err != nil {
		return fmt.Errorf("residency: ask for the tables' storage policies: %w", err)
	}
	if len(tables) > 0 {
		return fmt.Errorf("residency: of the tables of %s these do not have storage policy %s: %v", o.DatabaseName(), policy, tables)
	}
	err = db.QueryRow(ctx, "SELECT arraySort(groupUniqArray(table || ' on ' || disk_name)) FROM system.parts WHERE database = "+name+
		" AND table != 'meta' AND disk_name NOT IN (SELECT arrayJoin(disks) FROM system.storage_policies WHERE policy_name = "+lit+")").Scan(&parts)
	if err != nil {
		return fmt.Errorf("residency: ask where the rows are: %w", err)
	}
	if len(parts) > 0 {
		return fmt.Errorf("residency: rows of %s are elsewhere than on the disks of storage policy %s: %v", o.DatabaseName(), policy, parts)
	}
	return nil
}
