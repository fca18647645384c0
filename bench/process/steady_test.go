package process

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Every part has a round at least, and its state is what was seen after its last round.
func TestMeasureSteady(t *testing.T) {
	s := &Server{cmd: exec.Command("sleep", "60")}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() }()
	rounds := 0
	round := func(r *Rates) error {
		if rounds++; rounds == 3 {
			return errors.New("put off")
		}
		r.Cost.Poll = append(r.Cost.Poll, float64(100+rounds))
		return nil
	}
	look := func() (State, error) {
		return State{Octets: int64(rounds), Waiting: int64(2 * rounds), Skipped: -1}, nil
	}
	parts, err := MeasureSteady(t.Context(), s, Steady{Length: 240 * time.Millisecond, Every: 10 * time.Millisecond}, round, look)
	if err != nil || len(parts) != steadyParts {
		t.Fatalf("%d parts, error %v", len(parts), err)
	}
	seen, failed := 0, 0
	for i, p := range parts {
		if len(p.Rates.Cost.Poll)+p.Failed == 0 || p.Memory == 0 {
			t.Errorf("part %d: %+v", i, p)
		}
		seen += len(p.Rates.Cost.Poll) + p.Failed
		failed += p.Failed
		if p.State != (State{int64(seen), int64(2 * seen), -1}) {
			t.Errorf("part %d: after %d rounds %+v", i, seen, p.State)
		}
	}
	if failed != 1 {
		t.Errorf("%d failed rounds, want 1", failed)
	}
	var out strings.Builder
	if err := WriteSteady(&out, parts); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(out.String(), "\n"); len(lines) != 2+steadyParts+4 || !strings.HasPrefix(lines[2+steadyParts+1], "Cost of a poll, last part / first part: 1.") {
		t.Errorf("printed:\n%s", out.String())
	}
}

// Many failed rounds and a cancelled context end the measurement with their errors.
func TestMeasureSteadyEnds(t *testing.T) {
	broken := errors.New("broken")
	_, err := MeasureSteady(t.Context(), nil, Steady{time.Hour, time.Millisecond}, func(*Rates) error { return broken }, nil)
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want that of the round", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = MeasureSteady(ctx, nil, Steady{time.Hour, time.Minute}, func(*Rates) error { cancel(); return nil }, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}
