package mail_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"popelago/mail"
)

func TestIDSource(t *testing.T) {
	const workers, each = 8, 2000
	src := mail.NewIDSource(nil)
	start := time.Now()
	ids := make([][]mail.MessageID, workers)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			for range each {
				ids[i] = append(ids[i], src.Next())
			}
		})
	}
	wg.Wait()
	end := time.Now()
	seen := map[mail.MessageID]bool{}
	ticks := map[time.Time]bool{}
	clocks := map[[2]byte]bool{}
	for _, list := range ids {
		for i, id := range list {
			if i > 0 && list[i-1].Compare(id) >= 0 {
				t.Fatalf("%s is not after %s", id, list[i-1])
			}
			if at := id.Time(); at.Before(start.Add(-time.Microsecond)) || at.After(end.Add(workers*each*100*time.Nanosecond)) {
				t.Fatalf("%s is of %v, not between %v and %v", id, at, start, end)
			}
			if id[6]>>4 != 1 || id[8]>>6 != 2 || id[10]&1 != 1 {
				t.Fatalf("%s is not a version 1 UUID with a random node", id)
			}
			if !bytes.Equal(id[10:], ids[0][0][10:]) {
				t.Fatal("two nodes in one source")
			}
			clocks[[2]byte(id[8:10])] = true
			seen[id], ticks[id.Time()] = true, true
		}
	}
	if len(seen) != workers*each || len(ticks) != workers*each {
		t.Errorf("%d ids of %d times among %d", len(seen), len(ticks), workers*each)
	}
	if len(clocks) < 5000 {
		t.Errorf("only %d clock sequences: they are not random", len(clocks))
	}
	if a, b := mail.NewIDSource(nil).Next(), mail.NewIDSource(nil).Next(); bytes.Equal(a[10:], b[10:]) {
		t.Error("two sources with one node")
	}
}

// TestIDSourceClock: ids increase even if the clock stops or goes back a little.
func TestIDSourceClock(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	src := mail.NewIDSource(func() time.Time { return now })
	first := src.Next()
	if !first.Time().Equal(now) || first.Micros() != now.UnixMicro() {
		t.Errorf("%v, %d, want %v", first.Time(), first.Micros(), now)
	}
	second := src.Next()
	now = now.Add(-mail.MaxIDAhead / 2)
	third := src.Next()
	if second.Time().Sub(first.Time()) != 100*time.Nanosecond || third.Time().Sub(second.Time()) != 100*time.Nanosecond {
		t.Errorf("%v, %v, %v", first.Time(), second.Time(), third.Time())
	}
	now = now.Add(2 * time.Hour)
	if fourth := src.Next(); !fourth.Time().Equal(now) {
		t.Errorf("%v, want %v", fourth.Time(), now)
	}
}

// TestKnownID has the example of RFC 9562 appendix A.1.
func TestKnownID(t *testing.T) {
	const s = "c232ab00-9414-11ec-b3c8-9f6bdeced846"
	id, err := mail.ParseMessageID(s)
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2022, 2, 22, 19, 22, 22, 0, time.UTC); !id.Time().Equal(want) {
		t.Errorf("time %v, want %v", id.Time(), want)
	}
	if id.String() != s || id.UIDL() != "c232ab00941411ecb3c89f6bdeced846" || !id.UIDL().Valid() || id.IsZero() {
		t.Errorf("%s, %s", id, id.UIDL())
	}
	k := id.SortKey()
	if got, want := hex.EncodeToString(k[:]), "01ec9414c232ab00"+"3348"+"1feb5e4e58c6"; got != want {
		t.Errorf("sort key %s, want %s", got, want)
	}
	if back := mail.MessageIDFromSortKey(k); back != id {
		t.Errorf("%s became %s", id, back)
	}
}

func TestParseIDs(t *testing.T) {
	for _, s := range []string{
		"", "c232ab00-9414-11ec-b3c8-9f6bdeced84", "c232ab00-9414-11ec-b3c8-9f6bdeced8466", "c232ab00_9414-11ec-b3c8-9f6bdeced846",
		"g232ab00-9414-11ec-b3c8-9f6bdeced846", "c232ab00-9414-41ec-b3c8-9f6bdeced846", "c232ab00-9414-11ec-33c8-9f6bdeced846",
		"00000000-0000-0000-0000-000000000000", "c232ab009414-11ec-b3c8-9f6bdeced846-",
	} {
		if id, err := mail.ParseMessageID(s); !errors.Is(err, mail.ErrBadMessageID) {
			t.Errorf("ParseMessageID(%q) = %s, %v", s, id, err)
		}
	}
	if id, err := mail.ParseMailboxID("zz"); err == nil {
		t.Errorf("ParseMailboxID: %s", id)
	}
}

// TestOrder: ids with the same time are ordered by their remaining bytes as signed numbers.
func TestOrder(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	lowest := mail.MinMessageID(at)
	if !lowest.Time().Equal(at) || lowest.Compare(mail.MinMessageID(at.Add(100))) >= 0 || lowest.Compare(mail.MessageID{}) <= 0 {
		t.Errorf("%s", lowest)
	}
	for range 1000 {
		a, b := lowest, lowest
		for i := 8; i < 16; i++ {
			a[i], b[i] = byte(rand.Uint32()), byte(rand.Uint32())
		}
		a[8], b[8] = a[8]&0x3F|0x80, b[8]&0x3F|0x80
		want := 0
		for i := 8; i < 16 && want == 0; i++ {
			want = int(int8(a[i])) - int(int8(b[i]))
		}
		if got := a.Compare(b); got*want < 0 || (got == 0) != (want == 0) || got != -b.Compare(a) {
			t.Fatalf("%s and %s: %d, want the sign of %d", a, b, got, want)
		}
		if a.Compare(lowest) < 0 {
			t.Fatalf("%s is before %s", a, lowest)
		}
	}
	if (mail.MessageID{}).Compare(lowest) >= 0 || (mail.MessageID{}).Compare(mail.MessageID{}) != 0 {
		t.Error("the zero id is not the first")
	}
}

// TestMailboxIDs: the derivation must never change.
func TestMailboxIDs(t *testing.T) {
	removal, err := mail.ParseMessageID("c232ab00-9414-11ec-b3c8-9f6bdeced846")
	if err != nil {
		t.Fatal(err)
	}
	alice := mail.Address{Local: "alice", Domain: "example.test"}
	for _, test := range []struct {
		address    mail.Address
		generation mail.MessageID
		want       string
	}{
		{alice, mail.MessageID{}, "222fa647-4228-5c06-8b09-6ec08e64e0c4"},
		{mail.Address{Local: "ALICE", Domain: "Example.Test."}, mail.MessageID{}, "222fa647-4228-5c06-8b09-6ec08e64e0c4"},
		{alice, removal, "22c1f60f-8a39-5e3a-a21e-8327bb2845e0"},
		{mail.Address{Local: "jürgen", Domain: "jürgen.example"}, mail.MessageID{}, "28999649-6289-5dae-b933-4a2e4ff209e1"},
	} {
		id := mail.DeriveMailboxID(test.address, test.generation)
		if id.String() != test.want || id[6]>>4 != 5 || id[8]>>6 != 2 {
			t.Errorf("%s, %s: %s, want %s", test.address, test.generation, id, test.want)
		}
		if back, err := mail.ParseMailboxID(id.String()); err != nil || back != id || id.IsZero() {
			t.Errorf("%s became %s, %v", id, back, err)
		}
	}
}

func TestUIDL(t *testing.T) {
	for u, want := range map[mail.UIDL]bool{"": false, "a": true, "!~": true, "a b": false, "a\x7f": false, "\xe4": false,
		mail.UIDL(bytes.Repeat([]byte("x"), 255)): true, mail.UIDL(bytes.Repeat([]byte("x"), 256)): false} {
		if u.Valid() != want {
			t.Errorf("%q: %t", u, !want)
		}
	}
	id := mail.NewIDSource(nil).Next()
	if m := (mail.Message{ID: id}); m.UniqueID() != id.UIDL() {
		t.Errorf("%s", m.UniqueID())
	}
	if m := (mail.Message{ID: id, UIDL: "kept"}); m.UniqueID() != "kept" {
		t.Errorf("%s", m.UniqueID())
	}
}

// FuzzIDs: text and sort key lead back to the same id, and the sort key keeps the order.
func FuzzIDs(f *testing.F) {
	f.Add(make([]byte, 16), "c232ab00-9414-11ec-b3c8-9f6bdeced846")
	f.Fuzz(func(t *testing.T, raw []byte, s string) {
		if id, err := mail.ParseMessageID(s); err == nil {
			if again, err := mail.ParseMessageID(id.String()); err != nil || again != id {
				t.Errorf("%q became %s, %v", s, again, err)
			}
		}
		if len(raw) < 32 {
			return
		}
		a, b := timeUUID(raw[:16]), timeUUID(raw[16:32])
		ka, kb := a.SortKey(), b.SortKey()
		if mail.MessageIDFromSortKey(ka) != a || mail.MessageIDFromSortKey(kb) != b {
			t.Errorf("%s, %s: not the same from their sort keys", a, b)
		}
		if a.Compare(b) != bytes.Compare(ka[:], kb[:]) {
			t.Errorf("%s and %s: the sort keys are in another order", a, b)
		}
		if at, bt := a.Time(), b.Time(); at.Before(bt) && a.Compare(b) >= 0 {
			t.Errorf("%s of %v is not before %s of %v", a, at, b, bt)
		}
		list := []mail.MessageID{a, b, {}}
		slices.SortFunc(list, mail.MessageID.Compare)
		if !list[0].IsZero() {
			t.Errorf("%v", list)
		}
	})
}

func timeUUID(raw []byte) mail.MessageID {
	id := mail.MessageID(raw)
	id[6] = id[6]&0x0F | 0x10
	id[8] = id[8]&0x3F | 0x80
	return id
}

func BenchmarkNextID(b *testing.B) {
	src := mail.NewIDSource(nil)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			src.Next()
		}
	})
}
