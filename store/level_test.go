package store

import (
	"errors"
	"slices"
	"testing"

	"popelago/mail"
)

// A write goes to the level of its durability. With an unreachable datacenter the write falls back to
// the local datacenter, if the durability allows a fallback.
func TestDurably(t *testing.T) {
	local := mail.DurabilityLocal
	each := mail.DurabilityEach
	eachOrLocal := mail.DurabilityEachOrLocal
	refused := errors.New("refused")
	for _, c := range []struct {
		name       string
		several    bool
		durability mail.Durability
		fails      map[string]error // by level
		calls      []string
		reached    mail.Reached
		err        error
	}{
		{"local", true, local, nil, []string{"local"}, mail.ReachedLocal, nil},
		{"local, unavailable", true, local, map[string]error{"local": ErrUnavailable}, []string{"local"}, mail.ReachedLocal, ErrUnavailable},
		{"each", true, each, nil, []string{"each"}, mail.ReachedEach, nil},
		{"each with one datacenter", false, each, nil, []string{"local"}, mail.ReachedLocal, nil},
		{"each, unavailable", true, each, map[string]error{"each": ErrUnavailable}, []string{"each"}, mail.ReachedEach, ErrUnavailable},
		{"fallback", true, eachOrLocal, map[string]error{"each": ErrUnavailable}, []string{"each", "local"}, mail.ReachedFallback, nil},
		{"fallback after an unknown outcome", true, eachOrLocal, map[string]error{"each": ErrOutcomeUnknown}, []string{"each", "local"}, mail.ReachedFallback, nil},
		{"no fallback for a full disk", true, eachOrLocal, map[string]error{"each": ErrFull}, []string{"each"}, mail.ReachedEach, ErrFull},
		{"no fallback for a clock", true, eachOrLocal, map[string]error{"each": ErrClock}, []string{"each"}, mail.ReachedEach, ErrClock},
		{"failed fallback", true, eachOrLocal, map[string]error{"each": ErrOutcomeUnknown, "local": refused}, []string{"each", "local"}, mail.ReachedEach, ErrOutcomeUnknown},
	} {
		levels := Levels[string]{Local: "local", Each: "each", All: "all", Several: c.several}
		var calls []string
		reached, err := levels.Durably(c.durability, func(level string) error {
			calls = append(calls, level)
			return c.fails[level]
		})
		if reached != c.reached || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || !slices.Equal(calls, c.calls) {
			t.Errorf("%s: %v, %v, calls %q; want %v, %v, %q", c.name, reached, err, calls, c.reached, c.err, c.calls)
		}
	}
}

// A store without a second datacenter has the same role at every level.
func TestOneLevel(t *testing.T) {
	if got, want := OneLevel("only"), (Levels[string]{Local: "only", Each: "only", All: "only"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// The reads for an answer ask every datacenter, and after an unreachable one the local datacenter alone.
func TestWide(t *testing.T) {
	refused := errors.New("refused")
	for _, c := range []struct {
		name    string
		several bool
		fails   map[string]error // by level
		calls   []string         // of two reads
		partial bool
		err     error
	}{
		{"each", true, nil, []string{"each", "each"}, false, nil},
		{"one datacenter", false, nil, []string{"local", "local"}, false, nil},
		{"unreachable", true, map[string]error{"each": ErrUnavailable}, []string{"each", "local", "local"}, true, nil},
		{"another failure", true, map[string]error{"each": ErrCorrupt}, []string{"each", "each"}, false, ErrCorrupt},
		{"both", true, map[string]error{"each": ErrUnavailable, "local": refused}, []string{"each", "local", "local"}, true, refused},
	} {
		w := Levels[string]{Local: "local", Each: "each", All: "all", Several: c.several}.Wide()
		var calls []string
		for range 2 {
			err := w.Read(func(level string) error { calls = append(calls, level); return c.fails[level] })
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("%s: %v, want %v", c.name, err, c.err)
			}
		}
		if w.Partial() != c.partial || !slices.Equal(calls, c.calls) {
			t.Errorf("%s: partial %v, calls %q; want %v, %q", c.name, w.Partial(), calls, c.partial, c.calls)
		}
	}
}
