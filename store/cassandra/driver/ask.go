package driver

import (
	"context"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Exec executes a statement that returns no rows.
func Exec(ctx context.Context, s Session, st Statement) error {
	rows, err := s.Execute(ctx, &st)
	if err != nil {
		return err
	}
	return rows.Close()
}

// ScanOne copies the columns of the first row. Errors: gocql.ErrNotFound without a row.
func ScanOne(ctx context.Context, s Session, st Statement, dest ...any) error {
	rows, err := s.Execute(ctx, &st)
	if err != nil {
		return err
	}
	if !rows.Next() {
		if err := rows.Close(); err != nil {
			return err
		}
		return gocql.ErrNotFound
	}
	if err := rows.Scan(dest...); err != nil {
		_ = rows.Close()
		return err
	}
	return rows.Close()
}

// Each copies the columns of each row of all pages into dest, and calls row after each.
func Each(ctx context.Context, s Session, st Statement, row func(), dest ...any) error {
	for {
		rows, err := s.Execute(ctx, &st)
		if err != nil {
			return err
		}
		next := rows.Page()
		for rows.Next() {
			if err := rows.Scan(dest...); err != nil {
				_ = rows.Close()
				return err
			}
			row()
		}
		if err := rows.Close(); err != nil || len(next) == 0 {
			return err
		}
		st.Page = next
	}
}
