package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"popelago/bench"
)

// progressInterval is the pause between two redraws of the bar.
const progressInterval = 200 * time.Millisecond

// showProgress draws a bar for p if w is a terminal, until the returned function is called.
func showProgress(w io.Writer, p *bench.Progress) (hide func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func() {}
	}
	bars := mpb.New(mpb.WithOutput(w), mpb.WithWidth(60), mpb.WithRefreshRate(progressInterval))
	start := time.Now()
	bar := bars.AddBar(0,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return p.Phase() + " " })),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			done, total := p.Done()
			s := fmt.Sprintf(" %d", done)
			if total > 0 {
				s += fmt.Sprintf("/%d", total)
			}
			s += fmt.Sprintf(" in %s", time.Since(start).Round(time.Second))
			if n := p.Errors(); n > 0 {
				s += fmt.Sprintf(", %d errors", n)
			}
			return s
		})),
	)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(progressInterval)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				done, total := p.Done()
				// One more than the total: a full bar would remove itself between two phases.
				bar.SetTotal(max(total, done)+1, false)
				bar.SetCurrent(done)
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
		bar.Abort(true)
		bars.Wait()
	}
}
