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

// ListTokens implements store.Tokens, see readRing. A row without hash is no token: its insert has not arrived.
func (t *tokens) ListTokens(ctx context.Context) (found []store.Token, err error) {
	found, err = readRing(ctx, scanTokens, scanArc, func(ctx context.Context, cql string, values ...any) ([]store.Token, error) {
		return t.scan(ctx, cql, values...)
	})
	slices.SortFunc(found, func(a, b store.Token) int { return strings.Compare(a.ID, b.ID) })
	return found, err
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
