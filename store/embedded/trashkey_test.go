package embedded

import (
	"testing"

	"popelago/mail"
)

// Two removals of the same microsecond are both in the trash, also if the store was opened again in
// between: the clock may have been set back by the length of the stop.
func TestTrashKeepsRemovalsOfOneMoment(t *testing.T) {
	inBubble(t, func(r *clockRig) {
		source := mail.NewIDSource(nil)
		for i := range 3 {
			if i > 0 {
				r.stop(0, 0)
			}
			for range 2 {
				if err := r.s.RemoveMessages(r.Context(), mail.MailboxID{byte(i)}, []mail.MessageID{source.Next()}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if rows := countRows(t, r.s, prefixTrash); rows != 6 {
			t.Errorf("%d removals are in the trash, want 6", rows)
		}
	})
}
