package sqluser

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/schema"
)

// Server keeps users in a ClickHouse of the user's own, by SQL. The user of DB
// must be allowed to: GRANT ACCESS MANAGEMENT, and SELECT on the database WITH
// GRANT OPTION.
type Server struct {
	DB     driver.Conn
	Schema schema.Options
}

// table remembers who was made: what the server's own tables say of a user
// cannot be turned back into one.
func (s *Server) table() string { return "`" + s.Schema.DatabaseName() + "`.sql_users" }

func (s *Server) createTable(ctx context.Context) error {
	return s.exec(ctx, "CREATE TABLE IF NOT EXISTS "+s.table()+s.Schema.OnCluster()+`
(
    name String COMMENT 'The user.',
    spec String COMMENT 'What was asked for, as JSON.',
    version DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When: the newest row holds.',
    deleted UInt8 COMMENT '1: removed.'
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY name
COMMENT 'Users made by heplake sql user.'`)
}

func (s *Server) exec(ctx context.Context, sql string) error {
	if err := s.DB.Exec(ctx, sql); err != nil {
		return fmt.Errorf("SQL users: %w", err)
	}
	return nil
}

func (s *Server) run(ctx context.Context, statements []string) error {
	for _, sql := range statements {
		if err := s.exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) record(ctx context.Context, u User, deleted int) error {
	spec, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("SQL users: %w", err)
	}
	return s.exec(ctx, fmt.Sprintf("INSERT INTO %s (name, spec, deleted) SELECT %s, %s, %d", s.table(), schema.Quote(u.Name), schema.Quote(string(spec)), deleted))
}

// List implements Store.
func (s *Server) List(ctx context.Context) ([]User, error) {
	var there uint64
	err := s.DB.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = "+schema.Quote(s.Schema.DatabaseName())+" AND name = 'sql_users'").Scan(&there)
	if err != nil {
		return nil, fmt.Errorf("SQL users: %w", err)
	}
	if there == 0 {
		return nil, nil
	}
	rows, err := s.DB.Query(ctx, "SELECT spec FROM "+s.table()+" FINAL ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("SQL users: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []User
	for rows.Next() {
		var spec string
		if err := rows.Scan(&spec); err != nil {
			return nil, fmt.Errorf("SQL users: %w", err)
		}
		var u User
		if err := json.Unmarshal([]byte(spec), &u); err != nil {
			return nil, fmt.Errorf("SQL users: %s: %w", s.table(), err)
		}
		out = append(out, u)
	}
	return out, rows.Err()
}

func (s *Server) find(ctx context.Context, name string) (User, error) {
	users, err := s.List(ctx)
	if err != nil {
		return User{}, err
	}
	i := slices.IndexFunc(users, func(u User) bool { return u.Name == name })
	if i < 0 {
		return User{}, fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	return users[i], nil
}

// Add implements Store. A user of that name whom somebody else made stays as it
// is, and is an error. What failed half way is taken back.
func (s *Server) Add(ctx context.Context, u User, hash string) error {
	if err := u.Check(); err != nil {
		return err
	}
	var there uint64
	if err := s.DB.QueryRow(ctx, "SELECT count() FROM system.users WHERE name = "+schema.Quote(u.Name)).Scan(&there); err != nil {
		return fmt.Errorf("SQL users: %w", err)
	}
	if there > 0 {
		return fmt.Errorf("%w: %s", ErrExists, u.Name)
	}
	if err := s.createTable(ctx); err != nil {
		return err
	}
	err := s.run(ctx, createSQL(&u, hash, s.Schema))
	if err == nil {
		err = s.record(ctx, u, 0)
	}
	if err != nil {
		_ = s.run(context.WithoutCancel(ctx), dropSQL(u.Name, s.Schema))
	}
	return err
}

// Rotate implements Store.
func (s *Server) Rotate(ctx context.Context, name, hash string) error {
	u, err := s.find(ctx, name)
	if err != nil {
		return err
	}
	return s.exec(ctx, rotateSQL(&u, hash, s.Schema))
}

// Remove implements Store.
func (s *Server) Remove(ctx context.Context, name string) error {
	u, err := s.find(ctx, name)
	if err != nil {
		return err
	}
	if err := s.run(ctx, dropSQL(name, s.Schema)); err != nil {
		return err
	}
	return s.record(ctx, u, 1)
}

// Sync gives every user the rights that this version of heplake has for them:
// after a migration there may be tables and views that they have no policy for,
// and cannot read.
func (s *Server) Sync(ctx context.Context) error {
	users, err := s.List(ctx)
	if err != nil || len(users) == 0 {
		return err
	}
	for i := range users {
		// The policies come before the right to read.
		if err := s.run(ctx, append(rightsSQL(&users[i], s.Schema), boundSQL(&users[i], s.Schema)...)); err != nil {
			return err
		}
	}
	return s.run(ctx, roleSQL(s.Schema))
}
