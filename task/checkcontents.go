package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// checkParallel is the number of contents read at the same time.
const checkParallel = 8

// damagedDetail is the detail of KindDamaged.
const damagedDetail = "the content cannot be read whole"

// contentCandidate is a content that a run judges at the end of the batch.
type contentCandidate struct {
	store.ContentRow
	// lacking are the mailboxes that do not list the content.
	lacking []mail.MailboxID
	// listed: some mailbox lists the content.
	listed bool
}

// checkContents compares all contents with the entries of their mailboxes.
func (r *checkRun) checkContents(ctx context.Context) error {
	position := r.at.Position
	for {
		var page []store.ContentRow
		var next string
		err := r.try(ctx, func() (err error) {
			page, next, err = r.upkeep.ListContents(ctx, position, checkPage)
			return err
		})
		if err != nil {
			return fmt.Errorf("task: list contents: %w", err)
		}
		if err := r.checkPage(ctx, page); err != nil {
			return err
		}
		position = next
		if next == "" || r.looked >= r.cfg.Batch || r.weight >= r.cfg.Batch/5 {
			if err := r.settleContents(ctx); err != nil {
				return err
			}
			r.at.Position = next
			if next == "" {
				return nil
			}
			if err := r.save(ctx); err != nil {
				return err
			}
		}
		if err := r.pace(ctx, max(len(page), 1)); err != nil {
			return err
		}
	}
}

// checkPage reads the entries of a page of contents.
func (r *checkRun) checkPage(ctx context.Context, page []store.ContentRow) error {
	r.at.Report.Contents += int64(len(page))
	r.metrics.looked.WithLabelValues(phaseContents).Add(float64(len(page)))
	r.looked += len(page)
	page = slices.DeleteFunc(page, func(c store.ContentRow) bool {
		if r.foreign(c) {
			return true
		}
		if r.young(c.ID) {
			r.leave(c.ID)
			return true
		}
		return false
	})
	looks := make([]contentLook, len(page))
	group, parallel := errgroup.WithContext(ctx)
	group.SetLimit(checkParallel)
	for i, c := range page {
		group.Go(func() (err error) {
			looks[i], err = r.look(parallel, c)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, l := range looks {
		r.at.Report.Octets += l.octets
		r.metrics.octets.Add(float64(l.octets))
		if l.damage != nil {
			r.found(CheckFinding{Kind: KindDamaged, Message: l.ID, Detail: damagedDetail})
			r.cfg.Logger.Warn("check found damaged content", "message", l.ID.String(), "cause", l.damage)
		}
		if len(l.lacking) > 0 || l.Parts != nil || !l.listed && l.Damage == nil && !l.gone {
			r.contents = append(r.contents, l.contentCandidate)
			r.weight += 1 + len(l.Info.Mailboxes)
		}
	}
	r.publish()
	return nil
}

// foreign reports whether a content belongs to no mailbox of the run.
func (r *checkRun) foreign(c store.ContentRow) bool {
	return r.generations != nil && !slices.ContainsFunc(r.generations, func(g account.Generation) bool {
		return slices.Contains(c.Info.Mailboxes, g.Mailbox)
	})
}

// contentLook is the result of reading one content.
type contentLook struct {
	contentCandidate
	damage error
	octets int64 // read
	gone   bool
}

// look reads the entries of a content, and all its octets with CheckOptions.Deep.
func (r *checkRun) look(ctx context.Context, c store.ContentRow) (l contentLook, err error) {
	l.ContentRow = c
	l.damage = c.Damage
	if c.Parts != nil {
		return l, nil
	}
	for _, mailbox := range c.Info.Mailboxes {
		there, err := r.listed(ctx, mailbox, c.ID)
		if err != nil {
			return l, err
		}
		if there {
			l.listed = true
		} else {
			l.lacking = append(l.lacking, mailbox)
		}
	}
	if r.options.Deep && c.Damage == nil {
		if err := r.readThrough(ctx, &l); err != nil {
			return l, err
		}
	}
	return l, nil
}

// readThrough reads all octets of a content.
func (r *checkRun) readThrough(ctx context.Context, l *contentLook) error {
	if err := r.pace(ctx, int(l.Info.Size>>18)); err != nil { // 256 KiB count as one row
		return err
	}
	err := r.try(ctx, func() error {
		l.octets = 0
		info, body, err := r.mail.OpenContent(ctx, l.ID, "")
		if err != nil {
			return err
		}
		defer body.Close()
		l.octets, err = io.Copy(io.Discard, body)
		if err == nil && l.octets != info.Size {
			err = fmt.Errorf("%d octets instead of %d: %w", l.octets, info.Size, store.ErrCorrupt)
		}
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		l.gone = true // removed meanwhile
		return nil
	case errors.Is(err, store.ErrCorrupt):
		l.damage = err
		return nil
	case err != nil:
		return fmt.Errorf("task: read content %s: %w", l.ID, err)
	}
	return nil
}
