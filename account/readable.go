package account

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"popelago/store"
)

// probes lists domains that nobody hosts (RFC 6761 section 6.4). In a cluster each is in another eighth of the ring of
// Murmur3 tokens, and so usually on other nodes.
var probes = [...]string{
	"probe2.invalid", "probe3.invalid", "probe11.invalid", "probe0.invalid",
	"probe13.invalid", "probe7.invalid", "probe1.invalid", "probe4.invalid",
}

// Probes is the count of small reads behind Readable.
const Probes = len(probes)

// probePatience is the time that the other reads have once half of them have succeeded.
const probePatience = time.Second

// lookPatience bounds the time of a look that callers share.
const lookPatience = 10 * time.Second

// Readable looks with a few small reads whether the store can be read, however many domains are hosted. A fault of a few
// nodes of a large cluster concerns a part of the mailboxes, and all servers alike. So the store counts as readable if half
// of the reads succeed. unread counts the reads that failed or have no answer yet.
//
// Callers that come during a look share its result: clients without a token ask for the readiness of a server, and cost the
// store no more than one look at a time.
//
// Errors: the store's, if most reads fail.
func (d *Directory) Readable(ctx context.Context) (unread int, err error) {
	shared := context.WithoutCancel(ctx)
	done := d.looks.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(shared, lookPatience)
		defer cancel()
		return d.look(ctx)
	})
	select {
	case r := <-done:
		return r.Val.(int), r.Err
	case <-ctx.Done():
		return Probes, fmt.Errorf("account: look whether the store can be read: %w: %w", store.ErrUnavailable, ctx.Err())
	}
}

// look is Readable without shared results.
func (d *Directory) look(ctx context.Context) (unread int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var reads sync.WaitGroup
	defer reads.Wait()
	defer cancel()
	answers := make(chan error, Probes)
	for _, name := range probes {
		reads.Go(func() {
			_, err := d.store.Local.Domain(ctx, name)
			answers <- err
		})
	}
	read, failed := 0, 0
	var late <-chan time.Time
	for waits := true; waits && read+failed < Probes && 2*failed <= Probes; {
		select {
		case answer := <-answers:
			if answer == nil || errors.Is(answer, store.ErrNotFound) {
				read++
				break
			}
			failed++
			if err == nil {
				err = answer
			}
		case <-late:
			waits = false
		case <-ctx.Done():
			waits = false
		}
		if late == nil && 2*read >= Probes {
			late = time.After(probePatience)
		}
	}
	unread = Probes - read
	if 2*read >= Probes {
		return unread, nil
	}
	if err == nil {
		err = fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	}
	return unread, fmt.Errorf("account: look whether the store can be read: %d of %d reads failed: %w", unread, Probes, err)
}
