package storetest

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"popelago/store"
)

// token makes a token with all fields of AddToken set.
func token(id string) store.Token {
	return store.Token{
		ID: id, Hash: [32]byte{1, 2, 3, 31: byte(len(id))}, Role: "operator", Scopes: []string{"domain:a.test", "domain:b.test"},
		Note: "nöte with \"quotes\" & <markup>, 100%2F", Maker: "socket",
		Created: time.Date(2026, 5, 6, 7, 8, 9, 123456000, time.UTC), Expires: time.Date(2027, 5, 6, 7, 8, 9, 123456000, time.UTC),
	}
}

func (e *env) addToken(t store.Token) {
	e.Helper()
	if err := e.AddToken(e.ctx, t); err != nil {
		e.Fatalf("AddToken: %v", err)
	}
}

func (e *env) revokeToken(id string, at time.Time) {
	e.Helper()
	if err := e.RevokeToken(e.ctx, id, at); err != nil {
		e.Fatalf("RevokeToken: %v", err)
	}
}

func (e *env) wantTokens(want ...store.Token) {
	e.Helper()
	got, err := e.ListTokens(e.ctx)
	if err != nil {
		e.Fatalf("ListTokens: %v", err)
	}
	if len(got) != len(want) {
		e.Fatalf("ListTokens:\n got %+v\nwant %+v", got, want)
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			e.Fatalf("ListTokens, token %d:\n got %+v\nwant %+v", i, got[i], want[i])
		}
	}
}

var tokenCases = []testCase{
	{"add and list", func(e *env) {
		e.wantTokens()
		a, b := token("aaa"), token("bbbb")
		b.Expires, b.Note, b.Scopes = time.Time{}, "", []string{"all"}
		e.addToken(b)
		e.addToken(a)
		e.addToken(a)
		e.wantTokens(a, b)
	}},
	{"use", func(e *env) {
		t := token("aaa")
		t.Used = t.Created.Add(time.Hour)
		e.addToken(t)
		if err := e.UseToken(e.ctx, t.ID, t.Used); err != nil {
			e.Fatalf("UseToken: %v", err)
		}
		e.wantTokens(t)
		if err := e.UseToken(e.ctx, t.ID, t.Used.Add(-time.Minute)); err != nil { // noted late
			e.Fatalf("UseToken: %v", err)
		}
		e.wantTokens(t)
	}},
	{"a revoked token stays revoked", func(e *env) {
		t, other := token("aaa"), token("bbb")
		e.addToken(t)
		e.addToken(other)
		t.Revoked = t.Created.Add(time.Minute)
		e.revokeToken(t.ID, t.Revoked)
		e.wantTokens(t, other)
		// Whatever comes later, with whatever time: neither a repeated add nor a use brings it back.
		e.addToken(t)
		again := t
		again.Created = t.Revoked.Add(1000 * time.Hour)
		e.addToken(again)
		again.Used = again.Created
		if err := e.UseToken(e.ctx, t.ID, again.Used); err != nil {
			e.Fatalf("UseToken: %v", err)
		}
		e.wantTokens(again, other)
		// A clock that is behind revokes, too.
		e.revokeToken(other.ID, other.Created.Add(-1000*time.Hour))
		got, err := e.ListTokens(e.ctx)
		if err != nil || len(got) != 2 || got[0].Revoked.IsZero() || got[1].Revoked.IsZero() {
			e.Fatalf("ListTokens: %+v, %v; want both revoked", got, err)
		}
	}},
	{"a revocation before its token", func(e *env) {
		t := token("aaa")
		t.Revoked = t.Created.Add(-time.Hour)
		e.revokeToken(t.ID, t.Revoked)
		if err := e.UseToken(e.ctx, "zzz", t.Created); err != nil {
			e.Fatalf("UseToken of an unknown token: %v", err)
		}
		e.wantTokens()
		e.addToken(t)
		e.wantTokens(t)
	}},
	{"many at once", func(e *env) {
		var wg sync.WaitGroup
		var want []store.Token
		for i := range 20 {
			t := token(fmt.Sprintf("t%02d", i))
			t.Revoked = t.Created.Add(time.Second)
			want = append(want, t)
			wg.Go(func() {
				if err := e.AddToken(e.ctx, t); err != nil {
					e.Errorf("AddToken: %v", err)
				}
			})
			wg.Go(func() {
				if err := e.RevokeToken(e.ctx, t.ID, t.Revoked); err != nil {
					e.Errorf("RevokeToken: %v", err)
				}
			})
		}
		wg.Wait()
		e.wantTokens(want...)
	}},
	{"reopened", func(e *env) {
		if e.suite.Reopen == nil {
			e.Skip("the engine cannot be reopened")
		}
		t := token("aaa")
		e.addToken(t)
		t.Revoked, t.Used = t.Created.Add(time.Minute), t.Created.Add(time.Second)
		e.revokeToken(t.ID, t.Revoked)
		if err := e.UseToken(e.ctx, t.ID, t.Used); err != nil {
			e.Fatalf("UseToken: %v", err)
		}
		e.Engine = e.suite.Reopen(e.T, e.Engine)
		e.wantTokens(t)
	}},
	{"servers", func(e *env) {
		servers, err := e.Servers(e.ctx)
		own := 0
		for _, s := range servers {
			if s.Own {
				own++
			}
		}
		if err != nil || own != 1 {
			e.Fatalf("Servers: %+v, %v; want the own server once", servers, err)
		}
		_, err = e.Servers(cancelled())
		e.wantClass("Servers", err)
	}},
	{"cancelled", func(e *env) {
		_, err := e.ListTokens(cancelled())
		e.wantClass("ListTokens", err)
		e.wantClass("AddToken", e.AddToken(cancelled(), token("aaa")))
		e.wantClass("RevokeToken", e.RevokeToken(cancelled(), "aaa", time.Now()))
		e.wantClass("UseToken", e.UseToken(cancelled(), "aaa", time.Now()))
	}},
}
