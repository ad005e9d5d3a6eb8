package query

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/schema"
)

// trunksFor is how long the trunks that were read are good for.
const trunksFor = time.Minute

// trunkNames are the trunks of the database, read when they are asked for.
type trunkNames struct {
	mu   sync.Mutex
	list []schema.Trunk
	read time.Time
}

// trunkList returns the trunks, the smallest first. There are none where they
// cannot be read: a name more or less fails no search.
func (s *Store) trunkList(ctx context.Context) []schema.Trunk {
	t := &s.trunks
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.read.IsZero() && time.Since(t.read) < trunksFor {
		return t.list
	}
	var list []schema.Trunk
	err := s.query(ctx, nil, "SELECT name, network FROM "+s.table(schema.Trunks.Name), nil, func(rows driver.Rows) error {
		var name, network string
		if err := rows.Scan(&name, &network); err != nil {
			return err
		}
		if p, err := netip.ParsePrefix(network); err == nil {
			list = append(list, schema.Trunk{Name: name, Prefix: p})
		}
		return nil
	})
	if err == nil || ctx.Err() == nil {
		t.list, t.read = list, time.Now()
	}
	return list
}

// nameTrunks says of calls which trunk each came from and went to.
func (s *Store) nameTrunks(ctx context.Context, calls []Call) {
	if len(calls) == 0 {
		return
	}
	list := s.trunkList(ctx)
	for i := range calls {
		calls[i].SrcTrunk, calls[i].DstTrunk = schema.TrunkOf(list, calls[i].SrcIP), schema.TrunkOf(list, calls[i].DstIP)
	}
}
