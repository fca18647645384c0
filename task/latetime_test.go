package task_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/task"
)

// Without time, a call for late mail moves or drops one message, and reports that more messages are selected.
func TestLateMailInParts(t *testing.T) {
	for name, call := range map[string]func(context.Context, *lateRig, *task.Late, task.LateSelection) (int, error){
		"hand over": func(ctx context.Context, r *lateRig, l *task.Late, s task.LateSelection) (int, error) {
			return l.HandOver(ctx, s, r.bob.Address)
		},
		"drop": func(ctx context.Context, _ *lateRig, l *task.Late, s task.LateSelection) (int, error) {
			return l.Drop(ctx, s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newLateRig(t)
			l := task.NewLate(r.dir, store.Single(r.st), nil, nil)
			s := task.LateSelection{Address: r.alice.Address, Until: time.Now()}
			for i := range r.late {
				more := i < len(r.late)-1
				if n, err := call(t.Context(), r, l, s); n != 1 || errors.Is(err, task.ErrMoreLate) != more || err != nil && !more {
					t.Errorf("call %d: %d, %v", i, n, err)
				}
			}
			if list, _, err := l.List(t.Context(), mail.Address{}, "", 10); err != nil || len(list) != 0 {
				t.Errorf("in the end: %+v, %v", list, err)
			}
		})
	}
}
