package retention

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/heplake/heplake/schema"
)

// Hold is a legal hold: rows that neither retention nor a full disk deletes.
type Hold struct {
	ID     string
	Placed time.Time
	// Tenant is whose rows it holds; empty for those of any tenant.
	Tenant string
	// CallID is a Call-ID or correlation id of the call that it holds with all its
	// legs; empty for everything of the tenant.
	CallID string
	// Reason and Who say why it is there and who placed it.
	Reason, Who string
	// Until is when it ends by itself; zero when it does not.
	Until time.Time
	// Removed is when RemovedBy took it away; zero while it is there.
	Removed   time.Time
	RemovedBy string
}

// Active tells whether it holds anything at a time.
func (h Hold) Active(now time.Time) bool {
	return h.Removed.IsZero() && (h.Until.IsZero() || now.Before(h.Until))
}

// ErrNoHold says that there is no such hold, or that it is over.
var ErrNoHold = errors.New("no such hold")

// ReadHolds reads every hold, those that are over included, newest first. A
// database that has no table for them yet has none.
func ReadHolds(ctx context.Context, db driver.Conn, o schema.Options) ([]Hold, error) {
	ctx = spread(ctx, o)
	if ok, err := exists(ctx, db, o, schema.Holds.Name); err != nil || !ok {
		return nil, err
	}
	rows, err := db.Query(ctx, "SELECT id, placed, toString(tenant), call_id, reason, who, ifNull(until, toDateTime64(0, 6, 'UTC')), ifNull(removed, toDateTime64(0, 6, 'UTC')), removed_by FROM "+
		qualified(o, schema.Holds.Name)+" FINAL ORDER BY placed DESC, id")
	if err != nil {
		return nil, fmt.Errorf("retention: read the holds: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Hold
	for rows.Next() {
		var h Hold
		if err := rows.Scan(&h.ID, &h.Placed, &h.Tenant, &h.CallID, &h.Reason, &h.Who, &h.Until, &h.Removed, &h.RemovedBy); err != nil {
			return nil, fmt.Errorf("retention: read the holds: %w", err)
		}
		for _, t := range []*time.Time{&h.Until, &h.Removed} {
			if t.Unix() == 0 {
				*t = time.Time{}
			}
		}
		out = append(out, h)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("retention: read the holds: %w", err)
	}
	return out, nil
}

// AnyHold tells whether there is a hold that is not over: then the tables' TTL
// must delete nothing (schema.Options.KeeperDeletes).
func AnyHold(ctx context.Context, db driver.Conn, o schema.Options) (bool, error) {
	holds, err := ReadHolds(ctx, db, o)
	if err != nil {
		return false, err
	}
	now, err := serverTime(ctx, db)
	return slices.ContainsFunc(holds, func(h Hold) bool { return h.Active(now) }), err
}

// AddHold places a hold and returns it with its id. First it takes the deletion
// out of the tables' TTL, which knows of no holds; from then on the keeper
// deletes alone. nodes are connections to every node of a cluster that is spoken
// to node by node; none otherwise.
func AddHold(ctx context.Context, db driver.Conn, o schema.Options, h Hold, nodes ...driver.Conn) (Hold, error) {
	if h.Tenant == "" && h.CallID == "" {
		return h, errors.New("retention: a hold names a Call-ID, a tenant, or both")
	}
	if h.Reason == "" || h.Who == "" {
		return h, errors.New("retention: a hold says why it is there and who placed it")
	}
	ctx = spread(ctx, o)
	now, err := serverTime(ctx, db)
	if err != nil {
		return h, err
	}
	if !h.Until.IsZero() && !h.Until.After(now) {
		return h, fmt.Errorf("retention: the hold would have ended at %s", h.Until.UTC().Format(time.RFC3339))
	}
	for _, node := range nodesOf(db, nodes) {
		if err := stopTTL(ctx, node, o); err != nil {
			return h, err
		}
	}
	h.ID, h.Placed = uuid.NewString()[:8], now
	return h, writeHold(ctx, db, o, h)
}

// RemoveHold ends a hold. What only it kept goes at the keeper's next look.
func RemoveHold(ctx context.Context, db driver.Conn, o schema.Options, id, who string) (Hold, error) {
	ctx = spread(ctx, o)
	holds, err := ReadHolds(ctx, db, o)
	if err != nil {
		return Hold{}, err
	}
	now, err := serverTime(ctx, db)
	if err != nil {
		return Hold{}, err
	}
	i := slices.IndexFunc(holds, func(h Hold) bool { return h.ID == id && h.Active(now) })
	if i < 0 {
		return Hold{}, fmt.Errorf("%w: %s", ErrNoHold, id)
	}
	h := holds[i]
	h.Removed, h.RemovedBy = now, who
	return h, writeHold(ctx, db, o, h)
}

func writeHold(ctx context.Context, db driver.Conn, o schema.Options, h Hold) error {
	moment := func(t time.Time) string {
		if t.IsZero() {
			return "NULL"
		}
		return fmt.Sprintf("fromUnixTimestamp64Micro(toInt64(%d), 'UTC')", t.UnixMicro())
	}
	err := db.Exec(ctx, "INSERT INTO "+qualified(o, schema.Holds.Name)+" (id, placed, tenant, call_id, reason, who, until, removed, removed_by, version) SELECT "+
		strings.Join([]string{schema.Quote(h.ID), moment(h.Placed), schema.Quote(h.Tenant), schema.Quote(h.CallID), schema.Quote(h.Reason), schema.Quote(h.Who),
			moment(h.Until), moment(h.Removed), schema.Quote(h.RemovedBy), "toUInt64(toUnixTimestamp64Micro(now64(6)))"}, ", "))
	if err != nil {
		return fmt.Errorf("retention: write the hold: %w", err)
	}
	return nil
}

// TableRows are rows of a table.
type TableRows struct {
	Table string
	Rows  uint64
}

// HeldRows counts what a hold holds now.
func HeldRows(ctx context.Context, db driver.Conn, o schema.Options, h Hold) ([]TableRows, error) {
	ctx = spread(ctx, o)
	one, err := heldBy(ctx, db, o, []Hold{h}, h.Placed)
	if err != nil {
		return nil, err
	}
	var out []TableRows
	for _, t := range schema.Kept() {
		n, final := TableRows{Table: t.Name}, ""
		if replaces(t) {
			final = " FINAL"
		}
		if err := db.QueryRow(ctx, "SELECT count() FROM "+qualified(o, t.Name)+final+" WHERE "+one.condition(t)).Scan(&n.Rows); err != nil {
			return nil, fmt.Errorf("retention: count what is held of %s: %w", t.Name, err)
		}
		out = append(out, n)
	}
	return out, nil
}

// stopTTL takes the deletion out of the TTL of the tables that holds are about, on
// the node of the connection or on all. Nothing is rewritten, and migrate wants it
// so as long as there is a hold.
func stopTTL(ctx context.Context, db driver.Conn, o schema.Options) error {
	o.KeeperDeletes = true
	from, settings := "system.tables", ""
	if o.OnCluster() != "" {
		from, settings = everywhere(o, "tables")
	}
	for _, t := range schema.WithoutTTL() {
		var has bool
		err := db.QueryRow(ctx, "SELECT count() > 0 FROM "+from+" WHERE database = "+schema.Quote(o.DatabaseName())+" AND name = "+schema.Quote(o.LocalName(t.Name))+
			" AND position(engine_full, ' TTL ') > 0"+settings).Scan(&has)
		if err != nil {
			return fmt.Errorf("retention: ask for the TTL of %s: %w", t.Name, err)
		}
		if !has {
			continue
		}
		sql := "REMOVE TTL"
		if ttl := t.TTLSQL(o); ttl != "" {
			sql = "MODIFY TTL " + ttl + " SETTINGS materialize_ttl_after_modify = 0"
		}
		if err := db.Exec(ctx, "ALTER TABLE "+o.Target(o.LocalName(t.Name))+" "+sql); err != nil {
			return fmt.Errorf("retention: take the deletion out of the TTL of %s: %w", t.Name, err)
		}
	}
	return nil
}

// held is what holds keep, as conditions.
type held struct {
	// tenants are held whole; ids by tenant, that of any tenant under "".
	tenants []string
	ids     map[string][]string
}

// readHeld reads the holds that are not over, with the ids of all legs of the
// calls that they hold.
func readHeld(ctx context.Context, db driver.Conn, o schema.Options) (held, error) {
	holds, err := ReadHolds(ctx, db, o)
	if err != nil || len(holds) == 0 {
		return held{}, err
	}
	now, err := serverTime(ctx, db)
	if err != nil {
		return held{}, err
	}
	return heldBy(ctx, db, o, holds, now)
}

// heldBy is what those of the holds keep that are not over at a time.
func heldBy(ctx context.Context, db driver.Conn, o schema.Options, holds []Hold, now time.Time) (held, error) {
	out := held{ids: map[string][]string{}}
	for _, h := range holds {
		switch {
		case !h.Active(now):
		case h.CallID == "":
			out.tenants = append(out.tenants, h.Tenant)
		default:
			out.ids[h.Tenant] = append(out.ids[h.Tenant], h.CallID)
		}
	}
	for tenant, ids := range out.ids {
		legs, err := legsOf(ctx, db, o, tenant, ids)
		if err != nil {
			return out, err
		}
		ids = append(ids, legs...)
		slices.Sort(ids)
		out.ids[tenant] = slices.Compact(ids)
	}
	slices.Sort(out.tenants)
	out.tenants = slices.Compact(out.tenants)
	return out, nil
}

// legsOf finds the ids of the legs of calls that have one of these ids.
func legsOf(ctx context.Context, db driver.Conn, o schema.Options, tenant string, ids []string) ([]string, error) {
	in := quoted(ids)
	sql := "SELECT DISTINCT arrayJoin(arrayConcat(call_ids, correlation_ids, [correlation_id])) FROM " + qualified(o, schema.Calls.Name) +
		" WHERE (correlation_id IN (" + in + ") OR hasAny(call_ids, [" + in + "]) OR hasAny(correlation_ids, [" + in + "]))"
	if tenant != "" {
		sql += " AND tenant = " + schema.Quote(tenant)
	}
	rows, err := db.Query(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("retention: look for the legs of held calls: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("retention: look for the legs of held calls: %w", err)
		}
		out = append(out, id)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("retention: look for the legs of held calls: %w", err)
	}
	return out, nil
}

// condition is the SQL for held rows of a table; "" when none can be.
func (h held) condition(t *schema.Table) string {
	var any []string
	if len(h.tenants) > 0 {
		any = append(any, "tenant IN ("+quoted(h.tenants)+")")
	}
	tenants := make([]string, 0, len(h.ids))
	for tenant := range h.ids {
		tenants = append(tenants, tenant)
	}
	slices.Sort(tenants)
	for _, tenant := range tenants {
		in := quoted(h.ids[tenant])
		var c string
		switch t {
		case &schema.CallRows:
			c = "(correlation_id IN (" + in + ") OR hasAny(call_ids, [" + in + "]))"
		case &schema.RegistrationRows:
			c = "call_id IN (" + in + ")"
		default:
			c = "(call_id IN (" + in + ") OR correlation_id IN (" + in + "))"
		}
		if tenant != "" {
			c = "tenant = " + schema.Quote(tenant) + " AND " + c
		}
		any = append(any, c)
	}
	return strings.Join(any, " OR ")
}

// serverTime is the server's clock.
func serverTime(ctx context.Context, db driver.Conn) (now time.Time, err error) {
	if err := db.QueryRow(ctx, "SELECT now64(6, 'UTC')").Scan(&now); err != nil {
		return now, fmt.Errorf("retention: ask for the time: %w", err)
	}
	return now, nil
}

func exists(ctx context.Context, db driver.Conn, o schema.Options, table string) (ok bool, err error) {
	err = db.QueryRow(ctx, "SELECT count() > 0 FROM system.tables WHERE database = "+schema.Quote(o.DatabaseName())+" AND name = "+schema.Quote(table)).Scan(&ok)
	if err != nil {
		err = fmt.Errorf("retention: look for table %s: %w", table, err)
	}
	return ok, err
}
