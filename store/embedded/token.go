package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/store"
)

// The parts of a token, one key each: so a revocation and the token itself may arrive in either order.
const (
	tokenMade    = 'm' // encodeToken
	tokenRevoked = 'r' // a moment
	tokenUsed    = 'u' // a moment
)

// encodeToken returns the part of a token that never changes.
//
//	version, 32 octets hash, text role, varint n, n texts scope, text note, text maker,
//	8 octets created, 8 octets expires
func encodeToken(t store.Token) []byte {
	b := append([]byte{rowVersion}, t.Hash[:]...)
	b = appendBytes(b, t.Role)
	b = binary.AppendUvarint(b, uint64(len(t.Scopes)))
	for _, scope := range t.Scopes {
		b = appendBytes(b, scope)
	}
	b = appendBytes(b, t.Note)
	b = appendBytes(b, t.Maker)
	b = binary.BigEndian.AppendUint64(b, uint64(momentMicros(t.Created)))
	return binary.BigEndian.AppendUint64(b, uint64(momentMicros(t.Expires)))
}

// decodeToken undoes encodeToken.
func decodeToken(v []byte, t *store.Token) error {
	d := newDecoder(v)
	copy(t.Hash[:], d.bytes(32))
	t.Role = d.text()
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		return errBadRow
	}
	for range n {
		t.Scopes = append(t.Scopes, d.text())
	}
	t.Note, t.Maker = d.text(), d.text()
	t.Created, t.Expires = d.moment(), d.moment()
	return d.end()
}

func momentMicros(t time.Time) int64 {
	if t.IsZero() {
		return noTime
	}
	return t.UnixMicro()
}

// moment reads 8 octets of momentMicros.
func (d *decoder) moment() time.Time {
	b := d.bytes(8)
	if len(b) != 8 {
		return time.Time{}
	}
	return fromMicros(int64(binary.BigEndian.Uint64(b)))
}

// tokens implements store.Tokens.
type tokens struct {
	link   *link
	writer *directoryWriter
}

// ListTokens implements store.Tokens.
func (t *tokens) ListTokens(ctx context.Context) (found []store.Token, err error) {
	const what = "list tokens"
	if err := contextErr(ctx, what); err != nil {
		return nil, err
	}
	err = t.link.read(what, func(db *pebble.DB) error {
		found, err = scanTokens(db)
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// scanTokens joins the parts of all tokens. A revocation or a use without its token is no token.
func scanTokens(db *pebble.DB) (found []store.Token, err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixToken}, UpperBound: []byte{prefixToken + 1}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for valid := it.First(); valid; valid = it.Next() {
		id, part, err := parseTokenKey(it.Key())
		if err != nil {
			return nil, err
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, err
		}
		if part == tokenMade { // the first part in the order of keys
			t := store.Token{ID: id}
			if err := decodeToken(v, &t); err != nil {
				return nil, err
			}
			found = append(found, t)
			continue
		}
		micros, err := decodeMoment(v)
		if err != nil {
			return nil, err
		}
		if n := len(found); n > 0 && found[n-1].ID == id {
			switch part {
			case tokenRevoked:
				found[n-1].Revoked = fromMicros(micros)
			case tokenUsed:
				found[n-1].Used = fromMicros(micros)
			}
		}
	}
	return found, it.Error()
}

// AddToken implements store.Tokens.
func (t *tokens) AddToken(ctx context.Context, row store.Token) error {
	return t.writer.change(ctx, "add token", func(g *group) error {
		return g.batch.Set(tokenKey(row.ID, tokenMade), encodeToken(row), nil)
	})
}

// RevokeToken implements store.Tokens. Neither a clock without trust nor a full disk keeps a revocation.
func (t *tokens) RevokeToken(ctx context.Context, id string, at time.Time) error {
	return t.writer.committer.commit(ctx, "revoke token", &write{prepare: func(g *group) error {
		return g.batch.Set(tokenKey(id, tokenRevoked), momentColumn(at), nil)
	}})
}

// UseToken implements store.Tokens. The latest of several uses stays, in whatever order they arrive.
func (t *tokens) UseToken(ctx context.Context, id string, at time.Time) error {
	const what = "note the use of a token"
	if err := t.writer.space.check(what); err != nil {
		return err
	}
	// Alone: prepare reads the use noted before.
	return t.writer.committer.commit(ctx, what, &write{alone: true, prepare: func(g *group) error {
		key := tokenKey(id, tokenUsed)
		old, err := get(g.db, key)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return err
		default:
			if micros, err := decodeMoment(old); err == nil && micros >= at.UnixMicro() {
				return nil
			}
		}
		return g.batch.Set(key, momentColumn(at), nil)
	}})
}
