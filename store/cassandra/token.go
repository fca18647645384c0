package cassandra

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"popelago/store"
)

// tokens implements store.Tokens at one level. Each column group of a token has one writer that only
// sets: insertToken, revokeToken or useToken. So no write needs the timestamps of the row.
type tokens struct {
	at    level
	run   *runner
	clock *clockWatch
}

// ListTokens implements store.Tokens: one read of the whole ring. If a part of the ring cannot be read, the ring is read
// in arcs, unless the server is overloaded: more reads would add to the load. A row without hash is no token: its insert has not arrived.
func (t *tokens) ListTokens(ctx context.Context) (found []store.Token, err error) {
	found, err = t.scan(ctx, scanTokens)
	if err != nil && blocks(err) && !unsent(err) && ctx.Err() == nil {
		found, err = t.scanArcs(ctx)
	}
	slices.SortFunc(found, func(a, b store.Token) int { return strings.Compare(a.ID, b.ID) })
	return found, err
}

// Arcs of the ring of tokens.
const (
	arcs      = 64
	arcLength = 1 << 58
)

// scanArcs reads the ring in arcs, and returns the rows of the arcs that can be read, with the first error of an arc.
func (t *tokens) scanArcs(ctx context.Context) (found []store.Token, err error) {
	parts, errs := make([][]store.Token, arcs), make([]error, arcs)
	inParallel(arcs, func(i int) {
		begin, end := scanStart+int64(i)*arcLength, int64(scanEnd)
		if i < arcs-1 {
			end = begin + arcLength
		}
		parts[i], errs[i] = t.scan(ctx, scanArc, begin, end)
	})
	for _, failed := range errs {
		if err == nil {
			err = failed
		}
	}
	return slices.Concat(parts...), err
}

// scan reads tokens.
func (t *tokens) scan(ctx context.Context, cql string, values ...any) (found []store.Token, err error) {
	st := statement{cql: cql, values: values, consistency: t.at.reads(), what: "list the tokens"}
	err = t.run.readAll(ctx, st, 1000, func(scan func(...any) error) error {
		var row store.Token
		var hash []byte
		var created, expires, revoked, used *int64
		if err := scan(&row.ID, &hash, &row.Role, &row.Scopes, &row.Note, &row.Maker, &created, &expires, &revoked, &used); err != nil {
			return err
		}
		if len(hash) == 0 {
			return nil
		}
		if len(hash) != len(row.Hash) {
			return fmt.Errorf("%w: the hash of token %q has %d octets", store.ErrCorrupt, row.ID, len(hash))
		}
		copy(row.Hash[:], hash)
		row.Created, row.Expires, row.Revoked, row.Used = moment(created), moment(expires), moment(revoked), moment(used)
		found = append(found, row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// AddToken implements store.Tokens.
func (t *tokens) AddToken(ctx context.Context, row store.Token) error {
	what := "add token " + row.ID
	if _, err := t.clock.changeTime(ctx, what); err != nil {
		return err
	}
	return t.run.exec(ctx, statement{
		cql: insertToken,
		values: []any{
			row.ID, row.Hash[:], row.Role, row.Scopes, row.Note, row.Maker,
			micros(row.Created), optionalMoment(row.Expires), micros(row.Created),
		},
		consistency: t.at.writes(), what: what,
	})
}

// RevokeToken implements store.Tokens. The latest of several revocations stays.
func (t *tokens) RevokeToken(ctx context.Context, id string, at time.Time) error {
	return t.run.exec(ctx, statement{
		cql: revokeToken, values: []any{micros(at), micros(at), id}, consistency: t.at.writes(), what: "revoke token " + id,
	})
}

// UseToken implements store.Tokens. The latest of several uses stays.
func (t *tokens) UseToken(ctx context.Context, id string, at time.Time) error {
	return t.run.exec(ctx, statement{
		cql: useToken, values: []any{micros(at), micros(at), id}, consistency: t.at.writes(), what: "note the use of token " + id,
	})
}
